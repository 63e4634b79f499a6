"""Downloads from a server of this test that breaks off, lies, stalls and knows nothing."""

from __future__ import annotations

import errno
import hashlib
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.cli import main
from pedbench.errors import MissingWeightsError
from pedbench.fetching import catalogue as catalogue_module
from pedbench.fetching import download as download_module
from pedbench.fetching.catalogue import CatalogueFile, Entry, Unpack, catalogue, name_of
from pedbench.fetching.download import FetchError, download
from pedbench.fetching.fetch import FETCHED, fetch, provider, states, verified
from pedbench.models.hub.folders import model_files, model_folder

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Source:
    """A server and how it behaves.

    Attributes:
        breaks: After how many bytes it ends each of the next answers.
        ranges: Whether it can go on in the middle.
        stalls: Whether it keeps quiet after the first bytes.
        archive: What it can serve in the content's place.
        asked: The ranges that were asked for; None for all.
        paths: Of what.
    """

    url: str = ""
    content: bytes = CONTENT
    archive: bytes = b""
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    stalls: bool = False
    asked: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    going: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def source() -> Iterator[Source]:
    state = Source()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            state.paths.append(self.path)
            if not self.path.endswith("/file.bin"):
                self.send_error(404)
                return
            first = int(asked.split("=")[1].rstrip("-")) if asked and state.ranges else 0
            if first >= len(state.content):
                self.send_error(416)
                return
            body = state.content[first:]
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.stalls:
                self.wfile.write(body[:1000])
                self.wfile.flush()
                state.going.wait(20)
                return
            self.wfile.write(body[: state.breaks.pop(0)] if state.breaks else body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    yield state
    state.going.set()
    server.shutdown()
    server.server_close()


def test_what_breaks_off_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    source.breaks = [1_200_000, 700_000]
    seen: list[int] = []
    found = download(
        [source.url],
        tmp_path / "deep" / "file.bin",
        size=len(CONTENT),
        sha256=SHA256,
        progress=lambda here, whole: seen.append(here),
    )
    assert found == SHA256
    assert (tmp_path / "deep" / "file.bin").read_bytes() == CONTENT
    assert source.asked == [None, "bytes=1200000-", "bytes=1900000-"]
    assert seen[-1] == len(CONTENT)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file.bin"]


def test_a_killed_download_is_continued_by_the_next(source: Source, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    source.breaks = [500_000, 0, 0]
    with pytest.raises(FetchError, match=r"(?s)ended after 500000 of 3000000 bytes; what has come is kept"):
        download([source.url], target, sha256=SHA256)
    assert not target.exists()
    assert target.with_name("file.bin.part").read_bytes() == CONTENT[:500_000]
    download([source.url], target, sha256=SHA256)
    assert source.asked[-1] == "bytes=500000-"
    assert target.read_bytes() == CONTENT


def test_a_source_that_cannot_go_on_begins_anew(source: Source, tmp_path: Path) -> None:
    source.breaks, source.ranges = [1_000_000], False
    download([source.url], tmp_path / "file.bin", size=len(CONTENT), sha256=SHA256)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"size": 2_999_999}, {"sha256": "01234567"}])
def test_another_file_is_refused_and_leaves_nothing(
    source: Source, tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(FetchError, match=f"found 3000000 bytes, sha256 {SHA256}; expected"):
        download([source.url], tmp_path / "file.bin", **changes)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0
    assert not (tmp_path / "file.bin").exists()


def test_a_partial_file_of_something_else_is_found_out_and_replaced(source: Source, tmp_path: Path) -> None:
    part = tmp_path / "file.bin.part"
    part.write_bytes(bytes(5_000_000))
    with pytest.raises(FetchError, match="found 5000000 bytes"):
        download([source.url], tmp_path / "file.bin", sha256=SHA256)
    download([source.url], tmp_path / "file.bin", sha256=SHA256)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_sources_give_way_to_each_other(source: Source, tmp_path: Path) -> None:
    gone = source.url.replace("file.bin", "gone.bin")
    assert download([gone, source.url], tmp_path / "file.bin", sha256=SHA256[:8]) == SHA256
    with pytest.raises(FetchError, match=r"(?s)other.bin could not be fetched:.*gone.bin: answered 404"):
        download([gone], tmp_path / "other.bin")


def test_a_source_that_keeps_quiet_counts_as_gone(source: Source, tmp_path: Path) -> None:
    source.stalls = True
    with pytest.raises(FetchError, match="timed out after"):
        download([source.url], tmp_path / "file.bin", patience=0.3)
    assert source.asked == [None, "bytes=1000-", "bytes=2000-"]


def test_a_full_disk_is_told_before_and_while_writing(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
        with pytest.raises(FetchError, match="3000000 bytes are missing and the disk has room for 1000"):
            download([source.url], tmp_path / "file.bin")

    def full(stream: Any, needed: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module, "_check_room", full)
    with pytest.raises(FetchError, match="the disk is full; what has come is kept"):
        download([source.url], tmp_path / "file.bin")


@pytest.fixture
def small_catalogue(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """A catalogue with one file without a digest and one archive, served by the source."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name in ("val2017/1.jpg", "val2017/2.jpg", "val2017/../../escaped", "train2017/3.jpg"):
            made.writestr(name, name)
    entries = {
        "weights": Entry(
            about="", licence="", files=[CatalogueFile(path="checkpoints/file.bin", sources=[source.url])]
        ),
        "photos": Entry(
            about="",
            licence="",
            files=[
                CatalogueFile(
                    path="downloads/photos.zip",
                    sources=[source.url],
                    unpack=Unpack(member="val2017/", into="coco"),
                )
            ],
        ),
    }
    entries["of_the_hub"] = Entry.model_validate(
        {
            "about": "",
            "licence": "",
            "repository": "owner/name",
            "revision": "0" * 40,
            "files": [{"path": "file.bin"}],
        }
    )
    source.breaks = []
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(catalogue_module, "catalogue", lambda: entries)
    source.archive = archive.getvalue()
    return entries


@pytest.mark.usefixtures("small_catalogue")
def test_a_digest_that_nobody_recorded_is_written_down_and_held_to(source: Source, tmp_path: Path) -> None:
    said: list[str] = []
    (path,) = fetch("weights", said.append, lambda here, whole: None)
    assert path.read_bytes() == CONTENT
    assert any(SHA256 in sentence and "written down" in sentence for sentence in said)
    assert json.loads((tmp_path / "home" / FETCHED).read_text()) == {"checkpoints/file.bin": SHA256}
    path.unlink()
    source.content = CONTENT[::-1]
    with pytest.raises(FetchError, match=f"expected None bytes, sha256 {SHA256}"):
        fetch("weights", said.append, lambda here, whole: None)


@pytest.mark.usefixtures("small_catalogue")
def test_archives_are_unpacked_whole_and_nowhere_else(source: Source, tmp_path: Path) -> None:
    source.content = source.archive
    (path,) = fetch("photos", lambda _: None, lambda here, whole: None)
    assert path == tmp_path / "home" / "coco" / "val2017"
    assert {"1.jpg", "2.jpg"} <= {file.name for file in path.iterdir()}
    outside = [file for file in tmp_path.rglob("escaped") if not file.is_relative_to(path)]
    assert outside == []
    assert not (tmp_path / "home" / "coco" / "train2017").exists()
    assert not list((tmp_path / "home").rglob("*.partial"))
    assert states("photos")[0].here
    asked = len(source.asked)
    fetch("photos", lambda _: None, lambda here, whole: None)
    assert len(source.asked) == asked


@pytest.mark.usefixtures("small_catalogue")
def test_a_mirror_is_asked_first_and_offline_nobody_is(
    source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_OFFLINE", "1")
    place = tmp_path / "home" / "checkpoints" / "file.bin"
    with pytest.raises(FetchError, match=f"{place} is not here: unset it and run `pedbench fetch weights`"):
        fetch("weights", lambda _: None, lambda here, whole: None)
    assert source.asked == []
    monkeypatch.delenv("PEDBENCH_OFFLINE")
    monkeypatch.setenv("PEDBENCH_MIRROR", source.url.rpartition("/")[0])
    source.url = "http://127.0.0.1:9/file.bin"
    (path,) = fetch("weights", lambda _: None, lambda here, whole: None)
    assert path.read_bytes() == CONTENT
    (path,) = fetch("of_the_hub", lambda _: None, lambda here, whole: None)
    assert path == tmp_path / "home" / "hub" / "owner" / "name" / "file.bin"
    assert source.paths[-1] == "/hub/owner/name/file.bin"


def test_every_entry_has_a_licence_a_pinned_source_and_no_made_up_digest() -> None:
    paths = [file.path for item in catalogue().values() for file in item.files]
    assert len(set(paths)) == len(paths)
    for name, item in catalogue().items():
        assert item.licence
        assert bool(item.repository) == bool(item.revision) == (item.files[0].path.startswith("hub/"))
        for file in item.files:
            assert len(file.sha256) in (0, 8, 64)
            if len(file.sha256) == 8:
                assert file.path.endswith(f"-{file.sha256}.pth")
            assert file.size is None or file.roughly is None
            if item.repository:
                (source,) = file.sources
                inner = file.path.removeprefix(f"hub/{item.repository}/")
                assert source == f"https://huggingface.co/{item.repository}/resolve/{item.revision}/{inner}"
                assert name_of(item.repository) == name
            else:
                assert file.sha256
    wanted = {"sam_vit_b", "sam_vit_l", "sam_vit_h", "coco", "lpips_alex", "lpips_vgg", "lpips_squeeze"}
    wanted |= {"vit_mae_base", "vit_mae_large", "vit_mae_huge", "sd_inpainting", "rt_detr", "slimsam"}
    assert wanted == set(catalogue())
    assert name_of("facebook/vit-mae-small") == name_of("") == ""


def test_models_of_the_hub_lie_where_suites_look_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    for name, item in catalogue().items():
        if not item.repository:
            continue
        folder = tmp_path / "hub" / item.repository
        with pytest.raises(
            MissingWeightsError, match=f"(?s)looked for {folder}.*: pedbench fetch {name}; or"
        ):
            model_folder(item.repository, "network", "config.json")
        for file in item.files:
            (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.path).write_text("{}")
        assert {state.here for state in states(name)} == {True}
        assert model_files(item.repository) == (folder,)
        assert provider(folder) == provider(tmp_path / item.files[-1].path) == name
        described = "model_index.json" if name == "sd_inpainting" else "config.json"
        assert model_folder(item.repository, "network", described) == folder
    assert provider(tmp_path / "hub" / "facebook" / "others") == ""


def test_a_file_of_the_right_name_is_not_yet_the_file(tmp_path: Path) -> None:
    impostor = tmp_path / "sam_vit_b_01ec64.pth"
    impostor.write_bytes(b"something else")
    assert not verified(impostor)
    assert not verified(tmp_path / "absent.pth")


def test_the_list_says_what_is_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        main(["fetch", "sam_vit_h", "--dry-run"])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "2,565 MB to fetch" in said
    assert f"{tmp_path}/checkpoints/sam_vit_h_4b8939.pth" in said
    assert not list(tmp_path.iterdir())
    with pytest.raises(SystemExit) as left:
        main(["fetch", "sam_vit_x"])
    assert left.value.code == 2
    assert "did you mean 'sam_vit_" in capsys.readouterr().err

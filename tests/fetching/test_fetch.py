"""`pedbench fetch`: digests, archives, mirrors and the list."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from pedbench.cli import main
from pedbench.fetching import catalogue as catalogue_module
from pedbench.fetching.catalogue import CatalogueFile, Entry, Unpack
from pedbench.fetching.download import FetchError
from pedbench.fetching.fetch import FETCHED, fetch, states
from tests.fetching.conftest import CONTENT, SHA256, Source


@pytest.fixture
def small_catalogue(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """A catalogue with one file without a digest and one archive, served by the source."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("val2017/1.jpg", "val2017/2.jpg", "val2017/../../escaped", "train2017/3.jpg"):
            packed.writestr(name, name)
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
    sentences: list[str] = []
    (path,) = fetch("weights", sentences.append, lambda count, whole: None)
    assert path.read_bytes() == CONTENT
    assert any(SHA256 in sentence and "written down" in sentence for sentence in sentences)
    assert json.loads((tmp_path / "home" / FETCHED).read_text()) == {"checkpoints/file.bin": SHA256}
    path.unlink()
    source.content = CONTENT[::-1]
    with pytest.raises(FetchError, match=f"expected None bytes, sha256 {SHA256}"):
        fetch("weights", sentences.append, lambda count, whole: None)


@pytest.mark.usefixtures("small_catalogue")
def test_archives_are_unpacked_whole_and_nowhere_else(source: Source, tmp_path: Path) -> None:
    source.content = source.archive
    (path,) = fetch("photos", lambda _: None, lambda count, whole: None)
    assert path == tmp_path / "home" / "coco" / "val2017"
    assert {"1.jpg", "2.jpg"} <= {file.name for file in path.iterdir()}
    outside = [file for file in tmp_path.rglob("escaped") if not file.is_relative_to(path)]
    assert outside == []
    assert not (tmp_path / "home" / "coco" / "train2017").exists()
    assert not list((tmp_path / "home").rglob("*.partial"))
    assert states("photos")[0].here
    requests = len(source.requested)
    fetch("photos", lambda _: None, lambda count, whole: None)
    assert len(source.requested) == requests


@pytest.mark.usefixtures("small_catalogue")
def test_a_mirror_is_asked_first_and_offline_nobody_is(
    source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_OFFLINE", "1")
    place = tmp_path / "home" / "checkpoints" / "file.bin"
    with pytest.raises(FetchError, match=f"{place} is not here: unset it and run `pedbench fetch weights`"):
        fetch("weights", lambda _: None, lambda count, whole: None)
    assert source.requested == []
    monkeypatch.delenv("PEDBENCH_OFFLINE")
    monkeypatch.setenv("PEDBENCH_MIRROR", source.url.rpartition("/")[0])
    source.url = "http://127.0.0.1:9/file.bin"
    (path,) = fetch("weights", lambda _: None, lambda count, whole: None)
    assert path.read_bytes() == CONTENT
    (path,) = fetch("of_the_hub", lambda _: None, lambda count, whole: None)
    assert path == tmp_path / "home" / "hub" / "owner" / "name" / "file.bin"
    assert source.paths[-1] == "/hub/owner/name/file.bin"


def test_the_list_says_what_is_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        main(["fetch", "sam_vit_h", "--dry-run"])
    printed = capsys.readouterr().out
    assert left.value.code == 0
    assert "2,565 MB to fetch" in printed
    assert f"{tmp_path}/checkpoints/sam_vit_h_4b8939.pth" in printed
    assert not list(tmp_path.iterdir())
    with pytest.raises(SystemExit) as left:
        main(["fetch", "sam_vit_x"])
    assert left.value.code == 2
    assert "did you mean 'sam_vit_" in capsys.readouterr().err

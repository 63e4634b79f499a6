"""Downloads from a server that breaks off, lies, stalls and lacks files."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from pedbench.fetching import download as download_module
from pedbench.fetching.download import FetchError, download
from tests.fetching.conftest import CONTENT, SHA256, Source


def test_what_breaks_off_goes_on_where_it_was(source: Source, tmp_path: Path) -> None:
    source.breaks = [1_200_000, 700_000]
    seen: list[int] = []
    found = download(
        [source.url],
        tmp_path / "deep" / "file.bin",
        size=len(CONTENT),
        sha256=SHA256,
        progress=lambda count, whole: seen.append(count),
    )
    assert found == SHA256
    assert (tmp_path / "deep" / "file.bin").read_bytes() == CONTENT
    assert source.requested == [None, "bytes=1200000-", "bytes=1900000-"]
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
    assert source.requested[-1] == "bytes=500000-"
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


@pytest.mark.slow
def test_a_source_that_keeps_quiet_counts_as_gone(source: Source, tmp_path: Path) -> None:
    source.stalls = True
    with pytest.raises(FetchError, match="timed out after"):
        download([source.url], tmp_path / "file.bin", patience=0.3)
    assert source.requested == [None, "bytes=1000-", "bytes=2000-"]


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

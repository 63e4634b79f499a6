"""Files that are whole or not there."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from pedbench.host.files import lock, write_atomically


def test_what_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, "text")
    write_atomically(path, b"bytes")

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"bytes"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (tmp_path / "a").open("wb") as file, pytest.raises(OSError, match=f"{tmp_path} is .*: name --out"):
        lock(file, tmp_path, "name --out")

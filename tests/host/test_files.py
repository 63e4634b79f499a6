"""Files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.host.files import write_atomically


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

"""The folder of files that the benchmark makes, and what to do where it cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pedbench.host.home import advice, home


def test_a_home_that_cannot_be_written_or_found_leads_to_pedbench_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    for place in (tmp_path / "home" / "scenes", tmp_path):
        assert "PEDBENCH_HOME" in advice(PermissionError(errno.EACCES, "denied", str(place)))
    assert advice(PermissionError(errno.EACCES, "denied", "/elsewhere")) == ""
    assert advice(FileNotFoundError(errno.ENOENT, "absent", str(tmp_path))) == ""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PEDBENCH_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(OSError, match="set PEDBENCH_HOME"):
        home()

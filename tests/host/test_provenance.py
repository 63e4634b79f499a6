"""The commit that a record states."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pedbench.host.provenance import _commit


def test_a_clone_of_another_owner_gets_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert _commit(tmp_path) == ("", None)
    assert f"git config --global --add safe.directory {tmp_path}" in capsys.readouterr().err

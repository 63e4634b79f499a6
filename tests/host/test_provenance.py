"""Code, machine and weights that a record states."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pedbench.host.provenance import _commit, provenance

ROOT = Path(__file__).parents[2]


def test_a_clone_of_another_owner_gets_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert _commit(tmp_path) == ("", None)
    assert f"git config --global --add safe.directory {tmp_path}" in capsys.readouterr().err


def test_provenance_names_code_machine_and_weights() -> None:
    found = provenance(run_id="r", device="cpu", sources={"ped_sam": "ab"}, weights={"sam-mini": "cd"})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {
        "run_id",
        "utc",
        "commit",
        "dirty",
        "versions",
        "device",
        "machine_id",
        "sources",
        "weights",
    } <= set(found)
    assert found["versions"]["torch"]
    assert found["cores"] >= 1
    assert str(ROOT) not in json.dumps(found)

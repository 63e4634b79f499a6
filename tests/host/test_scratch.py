"""Folders of processes that were killed go, those of the living stay."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pedbench.host.scratch import ScratchFolder

KILLED = """
import os, signal, sys
from pathlib import Path
from pedbench.host.scratch import ScratchFolder
folder = ScratchFolder("test")
Path(folder.name, "left").mkdir()
Path(folder.name, "left", "file").write_text("pixels")
print(folder.name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_process_clears_away_after_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True)
    left, foreign = Path(ended.stdout.strip()), tmp_path / "attack-foreign"
    foreign.mkdir()
    with ScratchFolder("living") as living:
        assert (left / "left" / "file").is_file()
        for folder in (left, foreign, Path(living)):
            os.utime(folder, (0, 0))
        ScratchFolder("next").cleanup()
        assert {*tmp_path.iterdir()} == {foreign, Path(living)}
    assert list(tmp_path.iterdir()) == [foreign]

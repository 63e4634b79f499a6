"""The environment that `make` keeps, makes anew or refuses to make, with interpreters that only pretend."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INTERPRETER = """#!/bin/sh
case "$1 $2" in
  "-c "*exit*) exit {old} ;;
  "-c "*) echo {name} ;;
  "-V ") echo Python {name} ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/pyvenv.cfg" ;;
  "-m pip") echo "{name} installs" ;;
  *) echo "{name} runs" ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile, and with the interpreters old, new and newer."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    for name in ("old", "new", "newer"):
        file = tmp_path / name
        file.write_text(INTERPRETER.format(name=name, old=int(name == "old")))
        file.chmod(0o755)
    (tmp_path / "python3").symlink_to("old")
    return tmp_path


def make(project: Path, *arguments: str) -> tuple[int, str]:
    path = f"{project}:{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHON"} | {"PATH": path}
    done = subprocess.run(
        ["make", "run", *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_environment_is_that_of_the_named_interpreter(project: Path) -> None:
    status, output = make(project)
    assert status
    assert "python3 is Python old; pedbench needs Python 3.11 or newer" in output
    assert not (project / ".venv").exists()
    for name in ("new", "newer"):
        status, output = make(project, f"PYTHON=./{name}")
        assert not status
        assert f"{name} installs" in output
        assert f"{name} runs" in output
    for arguments in (["PYTHON=./newer"], []):
        status, output = make(project, *arguments)
        assert not status
        assert "installs" not in output
        assert "newer runs" in output


def test_an_environment_of_an_old_interpreter_is_made_anew(project: Path) -> None:
    subprocess.run(["./old", "-m", "venv", ".venv"], cwd=project, check=True)
    assert make(project)[0]
    status, output = make(project, "PYTHON=./new")
    assert not status
    assert "new installs" in output

"""Run directories: which one a suite continues in, the newest one, and the lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pedbench.results.records import write_plan
from pedbench.results.run_directory import RunLockedError, locked, run_directory, settle
from pedbench.suites.files import load_suite
from pedbench.suites.schema import ResolvedSuite

ROOT = Path(__file__).parents[2]


@pytest.fixture
def suite() -> ResolvedSuite:
    return ResolvedSuite.model_validate(load_suite("proof").model_dump())


def test_the_same_suite_continues_in_its_directory(tmp_path: Path, suite: ResolvedSuite) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be written .*--out"):
        run_directory(tmp_path / "file", suite)
    first = run_directory(tmp_path, suite)
    assert first.parent == tmp_path / "runs"
    assert first.name.startswith("proof-")
    assert load_suite(str(first / "suite.toml")) == load_suite("proof")
    assert run_directory(tmp_path, suite) == first
    second = run_directory(tmp_path, suite, fresh=True)
    assert second != first
    assert run_directory(tmp_path, suite) == second
    assert run_directory(tmp_path, suite.model_copy(update={"seed": 5})) not in (first, second)


def test_latest_is_the_newest_run_that_began(tmp_path: Path, suite: ResolvedSuite) -> None:
    directories = [run_directory(tmp_path, suite, fresh=True) for _ in range(3)]
    for directory in directories[:2]:
        write_plan(directory, ["0" * 12])
    for directory in directories:
        with locked(directory):
            settle(directory)
    assert (tmp_path / "latest").resolve() == directories[1].resolve()
    assert not directories[2].exists()


@pytest.mark.parametrize("obstacle", ["a real folder", "no links"])
def test_a_link_that_cannot_be_made_is_a_note(
    obstacle: str, tmp_path: Path, suite: ResolvedSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = run_directory(tmp_path, suite)
    write_plan(directory, ["0" * 12])

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    if obstacle == "no links":
        monkeypatch.setattr(Path, "symlink_to", refuse)
        reason = "Operation not permitted"
    else:
        (tmp_path / "latest").mkdir()
        (tmp_path / "latest" / "report.md").touch()
        reason = "it is a folder"
    with locked(directory):
        note = settle(directory)
    assert reason in note
    assert str(directory) in note
    assert {path.name for path in tmp_path.iterdir()} <= {"runs", "latest"}


@pytest.mark.slow
def test_two_runs_never_write_one_directory(tmp_path: Path) -> None:
    script = f"""if True:
        from pathlib import Path
        from pedbench.results.run_directory import RunLockedError, locked
        try:
            with locked(Path({str(tmp_path)!r})):
                print("free")
        except RunLockedError as error:
            print(error)
    """
    command = [sys.executable, "-c", script]

    def other() -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with locked(tmp_path), pytest.raises(RunLockedError), locked(tmp_path):
        pass
    with locked(tmp_path):
        assert "another run (process" in other()
    assert other() == "free\n"

"""A proposal adds one submission and nothing else, and its outcome is that of a verification made here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedbench.report.leaderboard.submission import read_submission
from pedbench.results.records import append_record, read_records
from pedbench.results.verification import read_verification, run_digest
from tools.leaderboard_check import check, proposed_name

CARD = 'name = "mine"\nauthors = ["me"]\nlink = "https://example.org"\ndate = 2030-01-01\n'
MINE = "leaderboard/submissions/mine/records.jsonl"


@pytest.mark.parametrize(
    "changed",
    [
        [],
        ["README.md"],
        [MINE, "leaderboard/verifications/mine.json"],
        ["tools/leaderboard_check.py", MINE],
        [MINE, "leaderboard/submissions/yours/records.jsonl"],
        ["leaderboard/submissions/mine"],
        ["leaderboard/submissions/../verifications/mine.json"],
        ["elsewhere/submissions/mine/records.jsonl"],
    ],
)
def test_a_proposal_changes_nothing_but_one_submission(changed: list[str]) -> None:
    assert proposed_name([MINE, MINE.replace("records", "more")]) == "mine"
    with pytest.raises(ValueError, match="adds files to one folder"):
        proposed_name(changed)


@pytest.mark.slow
def test_a_proposal_is_verified_here_and_its_outcome_kept(
    small_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedbench.regression.laws.check_laws", lambda run: [])
    monkeypatch.setattr(
        "tools.leaderboard_check.write_leaderboard",
        lambda directories, out, verifications: [read_submission(directories[0], verifications)],
    )
    directory = Path(shutil.copytree(small_run.directory, tmp_path / "mine"))
    with pytest.raises(OSError, match=r"SUBMISSION\.toml"):
        check(directory, tmp_path / "out")
    (directory / "SUBMISSION.toml").write_text(CARD)
    record = next(each for each in read_records(directory).values() if each.metrics)
    append_record(directory, replace(record, metrics=record.metrics[1:]))
    # Nothing is measured again here; that is tested with `pedbench verify`.
    assert not check(directory, tmp_path / "out", cells=0)
    assert f"mine: refused, 1 problems, the first: {record.cell_id}" in capsys.readouterr().out
    outcome = read_verification(tmp_path / "out" / "verifications" / "mine.json")
    assert (outcome.run, outcome.random_seed, outcome.cells) == (run_digest(directory), True, 0)
    assert (outcome.notes, outcome.unchecked) == (["suite small: it is none of the published suites"], [])

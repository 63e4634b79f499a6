"""`pedbench check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command_line import CARELESS, pedbench


@pytest.mark.slow
def test_check_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "careless.py"
    path.write_text(CARELESS)
    status, out, err = pedbench(capsys, "check", str(path))
    assert status == 1
    failed = [line.strip() for line in out.splitlines() if line.strip().startswith("failed")]
    for words in (
        "guesses are deterministic: the same view and generator gave two",
        "the view stays unchanged: the plugin wrote",
        "guess without a view: expected values in [0, 1], found -0.5",
        "guess of a tiny frame: expected a float32 array of shape (8, 8, 3)",
        "guesses do not depend on the batch",
        "guess from degraded alone: IndexError: tuple index out of range",
    ):
        assert any(words in line for line in failed), (words, out)
    assert any(
        line.endswith("guess from tokens alone: as for 'guess from degraded alone'") for line in failed
    )
    assert re.search(r"^([2-9]|\d\d+) checks failed\.$", err, re.MULTILINE)


@pytest.mark.long
def test_all_plugins_keep_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = pedbench(capsys, "check")
    assert status == 0, out

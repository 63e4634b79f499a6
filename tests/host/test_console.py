"""Progress of a run: bars and a table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console as RichConsole
from rich.progress import Progress

from pedbench.host.board import Board
from pedbench.host.console import Console


def test_only_slow_stages_print_progress_lines() -> None:
    now = 0.0
    stream = io.StringIO()
    console = Console(stream, clock=lambda: now)
    with console.stage("quick", 2) as advance:
        advance(2)
    assert stream.getvalue() == ""
    with console.stage("slow [1]", 30) as advance:
        for _ in range(30):
            now += 1.0
            advance(1)
    assert stream.getvalue().splitlines() == [
        "slow [1]: 2 of 30, about 28 s left",
        "slow [1]: 12 of 30, about 18 s left",
        "slow [1]: 22 of 30, about 8 s left",
        "slow [1]: 30 done in 30.0 s",
    ]


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_bars_that_vanish(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    console = Console(stream)
    with console.stage("outer", 2) as outer, console.stage("inner") as inner:
        inner(3)
        outer(1)
        console.line("a [red] line")
    assert "outer" in stream.getvalue()
    assert "a [red] line" in stream.getvalue()
    assert bool(re.search(r"\x1b\[[0-9;]*3\d", stream.getvalue())) != bool(no_color)


def test_a_board_fills_line_by_line_outside_a_terminal() -> None:
    now = 0.0
    stream = io.StringIO()
    with Console(stream, clock=lambda: now).board(["one", "t\x1bwo", "three"]) as board:
        board.fill("one", {"mIoU": "0.512", "wall": "7 ms"})
        board.expect(600)
        now = 20.0
        board.fill("t\ufffdwo", {})
    assert stream.getvalue().splitlines() == [
        "one: mIoU 0.512, wall 7 ms (1 of 3)",
        "t\ufffdwo: no number (2 of 3, about 10 min left)",
    ]


@pytest.mark.parametrize("rows", [3, 40])
def test_a_board_fits_a_terminal_and_shows_what_is_going_on(rows: int) -> None:
    names = [f"a_defense_with_a_long_name(and_a_parameter={place})" for place in range(rows)]
    board = Board(names, Progress(), None)
    for place in range(rows // 2 + 1):
        board.fill(
            names[place],
            {"mIoU": "0.512", "leakage RMSE": "0.3", "leakage LPIPS": "0.1", "wall": f"{place} ms"},
        )
    stream = io.StringIO()
    RichConsole(file=stream, width=80, height=24, force_terminal=True, color_system=None).print(board)
    lines = stream.getvalue().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if f"{rows // 2} ms" in line)
    assert row.startswith(names[0][:30])
    assert f"{rows // 2 + 1} of {rows} defenses" in stream.getvalue()

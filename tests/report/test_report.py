"""The written report, read as another program reads it."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from rich.cells import cell_len
from rich.console import Console

from pedbench.report.numbers.tidy import privacy
from pedbench.report.outputs.terminal import console_tables
from pedbench.report.outputs.writing import write_report
from pedbench.report.words.text import one_line
from pedbench.results.records import append_record, read_records
from pedbench.results.run import load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(made: Any) -> str:
    return write_report(load(made.directory)).read_text(encoding="utf-8")


def tables_of(markdown: str) -> list[list[list[str]]]:
    """Each table as lines of cells; the first line is the head."""
    tables: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        assert token.type not in ("html_block", "html_inline")
        if token.type == "table_open":
            tables.append([])
            inside = True
        elif token.type == "table_close":
            inside = False
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert not kinds & {"html_inline", "link_open", "em_open"}, token.content
            if tables and inside:
                tables[-1][-1].append("".join(child.content for child in token.children or ()))
    return tables


def test_tables_are_whole_and_names_read_as_they_are(made: Any, report: str) -> None:
    tables = tables_of(report)
    assert all(len({len(line) for line in table}) == 1 for table in tables)
    # The first table, which the paper's lines end; overview, what others report, two of utility, four for each rule,
    # two of latency, configurations.
    assert [len(table) for table in tables] == [9, 6, 6, 6, 6, 6, 11, 5, 5, 6, 11, 5, 5, 6, 4, 8]
    assert all(len(table[0]) <= 17 for table in tables)
    overview = tables[1]
    names = ["undefended", "blur", "split(servers=3, note=plain)", one_line(made.nasty), "broken"]
    assert [line[0] for line in overview[1:]] == names


def test_overview_shows_rounded_numbers_and_marks_bounds(made: Any, report: str) -> None:
    frame = pd.read_csv(made.directory / "tables" / "combined.csv").set_index("defense")
    lines = tables_of(report.partition("## Overview")[2])[0]
    overview = {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines}
    row, shown = frame.loc["blur"], overview["blur"]
    for header, column in (("mIoU[1 click], M+L ↑", "utility"), ("retention ↑", "retention")):
        value, low, high = (row[f"{column}_{part}"] for part in ("value", "low", "high"))
        assert shown[header] == f"{value:.3f} [{low:.3f}, {high:.3f}]"
    assert shown["cells"] == "1 invalid, 2 skipped"
    assert shown["wall p50 ↓"] == "invalid"
    bounded = overview[one_line(made.nasty)]
    assert bounded["leakage[RMSE], c=1 ↓"].startswith("≥ ")
    assert bounded["leakage[SSIM], c=1 ↓"].startswith("≥ ")
    assert not shown["leakage[RMSE], c=1 ↓"].startswith("≥ ")
    assert overview["broken"]["mIoU[1 click], M+L ↑"] == "failed"


def test_what_went_wrong_stands_first(report: str) -> None:
    before = report.partition("## Overview")[0]
    lines = [line for line in before.splitlines() if line.startswith("- **")]
    assert [line.split("**")[1] for line in lines] == ["failed", "failed", "invalid", "skipped"]
    assert lines[1] == "- **failed**: all 8 cells of `broken`: server 1 died \\| signal &lt;9>"
    both = "privacy, c = 1, attack `reader`; privacy, c = N, attack `reader` of `blur`"
    assert lines[3] == f"- **skipped**: {both}: needs tokens"


def test_report_says_what_it_is_about(made: Any, report: str) -> None:
    for said in (
        "24 of dataset `scenes`",
        "synthetic",
        "Seed: 7",
        "Retention relates to `undefended`",
        "`torch 2.6.0`",
    ):
        assert said in report
    assert "- **a**, few pictures: fewer than 100" in report
    assert str(made.directory) not in report


def test_csv_keeps_every_digit(made: Any, report: str) -> None:
    frame = privacy(load(made.directory))
    again = pd.read_csv(made.directory / "tables" / "privacy.csv", keep_default_na=False, na_values=[""])
    for column in ("value", "low", "high"):
        assert (again[column].fillna(-9) == frame[column].fillna(-9)).all()
    assert (again["defense"] == frame["defense"]).all()


def test_figure_is_drawn_and_is_the_same_again(made: Any, report: str) -> None:
    assert "](figures/privacy_utility.png)" in report
    folder = made.directory / "figures"
    first = (folder / "privacy_utility.svg").read_bytes()
    ElementTree.fromstring(first)
    with Image.open(folder / "privacy_utility.png") as picture:
        assert picture.width > 1000
    again = write_report(load(made.directory)).read_text(encoding="utf-8")
    assert again == report
    assert (folder / "privacy_utility.svg").read_bytes() == first


@pytest.fixture
def terminal(made: Any) -> Callable[[int], str]:
    """Returns the overview in a terminal of a width."""
    run = load(made.directory)

    def show(width: int) -> str:
        stream = io.StringIO()
        for table in console_tables(run, width):
            Console(file=stream, width=width).print(table)
        return stream.getvalue()

    return show


def test_terminal_shows_each_defense(terminal: Callable[[int], str]) -> None:
    shown = terminal(220)
    for name in ("undefended", "blur", "broken", "failed", "invalid", "<script>"):
        assert name in shown


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_a_terminal_shows_as_many_groups_of_columns_as_it_holds(
    terminal: Callable[[int], str], width: int
) -> None:
    shown = terminal(width)
    assert "…" not in shown
    assert max(map(cell_len, shown.splitlines())) <= width
    whole = shown.replace(" ", "").replace("\n", "")
    assert "undefended" in whole
    if width == 40:
        return
    headings = {
        "retention": "share ↑",
        "visible share": "visible,",
        "further leakages": "SSIM ↓",
        "latency": "wall,",
        "counts": "22 / 24",
    }
    left_out = {name for name, heading in headings.items() if heading not in shown}
    _, _, sentence = " ".join(shown.split()).partition("in a wider terminal: ")
    assert set(filter(None, sentence.split(", "))) == left_out
    assert len(left_out) <= {60: 5, 80: 4, 100: 3, 120: 2, 200: 0}[width]
    assert "RMSE ↓" in shown
    assert re.search(r"\[0\.\d{3}, 0\.\d{3}\]", shown)


def test_plugins_that_the_run_keeps_are_in_its_command(report: str, request: pytest.FixtureRequest) -> None:
    directory = request.getfixturevalue("made").directory
    assert "pedbench run suite.toml\n" in report
    (directory / "plugins").mkdir()
    assert "pedbench run suite.toml --plugin plugins\n" in write_report(load(directory)).read_text()
    (directory / "plugins").rmdir()


def test_run_in_which_nothing_succeeded(made: Any, report: str, tmp_path: Path) -> None:
    directory = shutil.copytree(made.directory, tmp_path / "run")
    for record in read_records(directory).values():
        append_record(directory, replace(record, status="failed", reason="no space left", metrics=()))
    assert list((directory / "figures").iterdir())
    written = write_report(load(directory)).read_text(encoding="utf-8")
    assert not list((directory / "figures").iterdir())
    assert "all 8 cells of `undefended`, `blur`" in written
    assert all(len({len(line) for line in table}) == 1 for table in tables_of(written))


def test_without_a_run_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run"):
        write_report(load(tmp_path))

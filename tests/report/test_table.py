"""One table in four forms: what each of them would choke on is written so that it does not."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from pedbench.report.outputs.writing import file_stem
from pedbench.report.tables.table import Cell, Column, Interval, Table
from pedbench.report.words.inline import Code, Strong, inline_html, inline_markdown, plain_text
from pedbench.report.words.text import NOTHING, one_line
from tests.report.test_text import READER, TEXTS, text_of

TABLE = Table(
    title=("All of ", Code("a_b")),
    columns=[
        Column(title="defense", text=True),
        Column(title="mIoU", better="higher"),
        Column(title="wall", unit="s", better="lower"),
        Column(title="flags", optional=True),
    ],
    rows=[
        [Code("ped_sam"), Strong("failed"), None, ""],
        [Code("b"), ("≥ ", Interval(0.5, 0.25, 0.75)), 0.0125, ""],
    ],
)


def of_one(cell: Cell) -> Table:
    return Table(columns=[Column(title="a", text=True), Column(title="b")], rows=[[cell, 1]])


def test_markdown_rounds_numbers_and_leaves_empty_columns_out() -> None:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.markdown().splitlines()]
    assert lines[0] == ["defense", "mIoU ↑", "wall ↓"]
    assert lines[2:] == [
        ["`ped_sam`", "**failed**", NOTHING],
        ["`b`", "≥ 0.500 [0.250, 0.750]", "12.5 ms"],
    ]
    assert inline_markdown(TABLE.title) == "All of `a_b`"
    assert plain_text(TABLE.title) == "All of a_b"


def test_latex_is_a_tabular_with_the_rules_of_booktabs() -> None:
    assert TABLE.latex().splitlines() == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"defense & mIoU $\uparrow$ & wall $\downarrow$ \\",
        r"\midrule",
        r"\texttt{ped\_sam} & \textbf{failed} & -- \\",
        r"\texttt{b} & $\geq$ 0.500 [0.250, 0.750] & 12.5 ms \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_html_is_what_another_program_makes_of_the_markdown() -> None:
    expected = MarkdownIt("commonmark").enable("table").render(TABLE.markdown())
    assert TABLE.html() == expected.replace("[0.250, 0.750]", "[0.250,&nbsp;0.750]")


def test_terminal_shows_intervals_below_their_numbers() -> None:
    stream = io.StringIO()
    Console(file=stream, width=80).print(TABLE.rich(80))
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert ["All", "of", "a_b"] in lines
    assert lines.index(["b", "≥", "0.500", "12.5", "ms"]) == lines.index(["[0.250,", "0.750]"]) - 1


@given(st.integers(30, 160), st.lists(st.integers(4, 40), min_size=1, max_size=6))
def test_parts_hold_every_group_once_and_fit(width: int, lengths: list[int]) -> None:
    head = [Column(title="name", text=True), *(Column(title="x" * each, group=f"{each}") for each in lengths)]
    parts = list(Table(columns=head, rows=[["a", *lengths]]).parts(width))
    groups = [list(dict.fromkeys(column.group for column in part.columns[1:])) for part in parts]
    assert [group for part in groups for group in part] == list(dict.fromkeys(map(str, lengths)))
    assert all((part.columns[0].title, part.rows[0][0]) == ("name", "a") for part in parts)
    assert all(
        part.least_width() <= width or len(mine) == 1 for part, mine in zip(parts, groups, strict=True)
    )


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        ("50 % of a&b", r"50 \% of a\&b"),
        ("a|b", "a|b"),
        (r"\input{x} $1 #2 ~ ^", r"\textbackslash{}input\{x\} \$1 \#2 \textasciitilde{} \textasciicircum{}"),
        ("<i>", "$<$i$>$"),
    ],
)
def test_foreign_text_stays_text_in_latex(plain: str, latex: str) -> None:
    assert f"{latex} &" in of_one(plain).latex()


@given(TEXTS, TEXTS)
def test_foreign_text_stays_text_in_markdown_and_html(one: str, other: str) -> None:
    cell = (one, " ", Code(other))
    read = f"{one_line(one)} {one_line(other) or chr(34) * 2}".strip()
    tokens = READER.parse(of_one(cell).markdown())
    cells: list[Any] = [text_of(token) for token in tokens if token.type == "inline"]
    assert [text.split() for text in cells] == [["a"], ["b"], read.split(), ["1"]]
    assert "<" not in inline_html(one).replace("<br>", "")


def test_numbers_are_written_as_their_column_says() -> None:
    column = Column(title="p", write="{:+.1f}".format)
    assert column.spans((Interval(1.0, 0.5, float("nan")), " / ", None, " / ", 7)) == (
        "+1.0", " / ", NOTHING, " / ", "7",
    )  # fmt: skip
    assert column.spans(Interval(1.0, 0.5, 1.5)) == ("+1.0 [+0.5, +1.5]",)


def test_files_are_named_after_titles() -> None:
    assert file_stem("Privacy Attacks, c = 1 (m = 3)") == "privacy_attacks_c_1_m_3"

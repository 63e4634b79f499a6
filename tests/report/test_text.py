"""What escaping promises, checked with another program's Markdown reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pedbench.report.tables.table import Column, Table
from pedbench.report.words.inline import Code
from pedbench.report.words.text import arrow, code, escape, estimate, one_line

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

SNIPPETS = [
    "<b>",
    "<!-- ",
    "<http://a.b>",
    "&lt;",
    "&#124;",
    "[a](b)",
    "![a](b)",
    "`",
    "``",
    "|",
    "\\|",
    "\\",
    "*",
    "**",
]
SNIPPETS += [
    "_",
    "*a*",
    "_a_",
    "~~a~~",
    "__",
    "](",
    "a",
    " ",
    "\n",
    "\r",
    "$",
    "1",
    "-",
    "#",
    "\u2028",
    "\x00",
    "\u00a0",
]
TEXTS = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=2)), max_size=8).map("".join)


def cells_of(markdown: str) -> list[str]:
    """The text of each cell of a table; anything but text and code in it is an error."""
    tokens = READER.parse(markdown)
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"
    return [text_of(token) for token in tokens if token.type == "inline"]


def text_of(inline: Any) -> str:
    kinds = {child.type for child in inline.children}
    assert kinds <= {"text", "code_inline", "text_special"}, inline.content
    return "".join(child.content for child in inline.children)


@given(TEXTS, TEXTS)
def test_any_text_survives_a_table(one: str, other: str) -> None:
    columns = [Column(title="h", text=True), Column(title="i")]
    shown = Table(columns=columns, rows=[[one, Code(other)], [Code(one), other]]).markdown()
    plain = [one_line(one), one_line(other)]
    quoted = [text or '""' for text in plain]
    assert cells_of(shown) == ["h", "i", plain[0], quoted[1], quoted[0], plain[1]]


@given(TEXTS, TEXTS)
def test_any_text_survives_a_line(one: str, other: str) -> None:
    tokens = READER.parse(f"- of {code(one)}: {escape(other)}.")
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 1
    assert text_of(inline[0]) == f"of {one_line(one) or chr(34) * 2}: {one_line(other)}."


@pytest.mark.parametrize(
    ("numbers", "unit", "expected"),
    [
        ((-0.0001, -0.0004, 0.0002), "", "0.000 [0.000, 0.000]"),
        ((1.5, 1.25, 1.75), "s", "1.50 [1.25, 1.75] s"),
        ((0.9996, 0.9, 1.2), "s", "999.6 [900.0, 1200.0] ms"),
        ((1_048_576, None, None), "B", "1.0 MB"),
        ((21.34, 20.0, 22.0), "dB", "21.3 [20.0, 22.0] dB"),
        ((None, None, None), "s", "\N{EN DASH}"),
    ],
)
def test_numbers_and_their_intervals_share_a_unit(numbers: Any, unit: str, expected: str) -> None:
    value, low, high = numbers
    assert estimate(value, low, high, unit) == expected


def test_arrows_point_where_the_defender_wants() -> None:
    assert [arrow(better) for better in ("higher", "lower", "")] == [" ↑", " ↓", ""]

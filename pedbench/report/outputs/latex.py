"""Tables as LaTeX, from the Markdown that reports show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": "$<$", ">": "$>$",
    "\N{UPWARDS ARROW}": r"$\uparrow$", "\N{DOWNWARDS ARROW}": r"$\downarrow$", "\N{EN DASH}": "--",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$", "\N{SUPERSCRIPT TWO}": r"$^2$", "\N{MULTIPLICATION SIGN}": r"$\times$",
}  # fmt: skip


def booktabs(markdown: str) -> str:
    """A Markdown table as a `tabular` with the rules of the package booktabs.

    Letters beyond Latin-1 that have no command here are written by their code points.
    """
    rows: list[list[str]] = []
    sides: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open") and len(rows) == 1:
            sides.append("r" if "right" in str(token.attrGet("style")) else "l")
        elif token.type == "inline" and rows:
            rows[-1].append(_inline(token.children or ()))
    head, *body = (" & ".join(row) + r" \\" for row in rows)
    lines = [rf"\begin{{tabular}}{{{''.join(sides)}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def file_stem(title: str) -> str:
    """A table's title as the stem of a file."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _inline(tokens: Sequence[Token]) -> str:
    kinds = {"strong_open": r"\textbf{", "strong_close": "}"}
    parts = []
    for token in tokens:
        text = "".join(_letter(letter) for letter in token.content)
        parts.append(rf"\texttt{{{text}}}" if token.type == "code_inline" else kinds.get(token.type, text))
    return "".join(parts)


def _letter(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    return letter if ord(letter) < 256 else rf"\symbol{{{ord(letter)}}}"

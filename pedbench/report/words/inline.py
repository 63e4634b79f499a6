"""Text in which names are marked, escaped for Markdown, HTML, LaTeX or a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape as escape_html

from pedbench.report.words.text import code, escape_within, flat

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": "$<$", ">": "$>$",
    "\N{UPWARDS ARROW}": r"$\uparrow$", "\N{DOWNWARDS ARROW}": r"$\downarrow$", "\N{EN DASH}": "--",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$", "\N{SUPERSCRIPT TWO}": r"$^2$", "\N{MULTIPLICATION SIGN}": r"$\times$",
}  # fmt: skip

_INTERVAL = re.compile(r"\[([-+]?[\d.]+), ([-+]?[\d.]+)\]")
"""An interval, which no line of a page should break."""


class Code(str):
    """A name or command, shown in a typewriter face."""

    __slots__ = ()


class Strong(str):
    """Text shown in bold face."""

    __slots__ = ()


Inline = str | tuple[str, ...]
"""Text, or several texts in a row; each plain, `Code` or `Strong`."""


def plain_text(inline: Inline) -> str:
    """Return text without its marks."""
    return "".join(_spans(inline)).strip()


def inline_markdown(inline: Inline) -> str:
    """Return text as Markdown, escaped and in one line."""
    return _marked(inline, escape_within, code, "**{}**")


def inline_html(inline: Inline) -> str:
    """Return text as HTML, escaped; line breaks of plain text stay, and names may break before their parameters."""

    def text(plain: str) -> str:
        lines = [escape_html(flat(line), quote=False).replace('"', "&quot;") for line in plain.split("\n")]
        return _INTERVAL.sub(r"[\1,&nbsp;\2]", "<br>".join(lines))

    def name(label: str) -> str:
        return f"<code>{text(label).replace('(', '(<wbr>')}</code>"

    return _marked(inline, text, name, "<strong>{}</strong>")


def inline_latex(inline: Inline) -> str:
    def text(plain: str) -> str:
        # Letters beyond Latin-1 that have no command are written by their code points.
        return "".join(
            _LATEX.get(letter, letter if ord(letter) < 256 else rf"\symbol{{{ord(letter)}}}")
            for letter in flat(plain)
        )

    return _marked(inline, text, lambda name: rf"\texttt{{{text(name)}}}", r"\textbf{{{}}}")


def inline_terminal(inline: Inline) -> str:
    """Return text without control characters, an asterisk after what is strong; line breaks of plain text stay."""

    def text(plain: str) -> str:
        return "\n".join(flat(line) for line in plain.split("\n"))

    return _marked(inline, text, flat, "{} *")


def _marked(inline: Inline, plain: Callable[[str], str], name: Callable[[str], str], strong: str) -> str:
    parts = []
    for span in _spans(inline):
        if isinstance(span, Code):
            parts.append(name(span))
        else:
            parts.append(strong.format(plain(span)) if isinstance(span, Strong) else plain(span))
    return "".join(parts).strip()


def _spans(inline: Inline) -> tuple[str, ...]:
    """Return the texts in a row; a name that is empty reads as two quotation marks."""
    spans = (inline,) if isinstance(inline, str) else inline
    return tuple('""' if isinstance(span, Code) and not span.strip() else span for span in spans)

"""Names and numbers as Markdown. Whatever comes from a plugin or a file is escaped here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from pedbench.results.statistics import Estimate

NOTHING = "\N{EN DASH}"
"""Stands where a number is not defined."""

PHASES = ("prepare", "uplink", "slowest server", "downlink", "edge", "decoder")
"""The phases of a pass in the order in which they happen, from the picture to a mask."""

_SPECIAL = re.compile(r"[\\`*|~$]|\](?=\()|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""Characters that mean something within a line; brackets alone do not, so that `mIoU[box]` stays readable."""


def flat(text: str) -> str:
    """Return text without line breaks and other control characters, which could leave a table's cell."""
    return re.sub(" +", " ", "".join(letter if letter.isprintable() else " " for letter in text))


def one_line(text: str) -> str:
    """Return flat text without spaces at its ends."""
    return flat(text).strip()


def escape(text: str) -> str:
    """Return running text that Markdown and HTML show as it is."""
    return escape_within(text).strip()


def escape_within(text: str) -> str:
    """Return the same as `escape`, with the spaces that part the text from others."""
    return _SPECIAL.sub(r"\\\g<0>", flat(text).replace("&", "&amp;").replace("<", "&lt;"))


def code(text: str) -> str:
    """Return a code span, valid in running text and in a table's cell."""
    plain = one_line(text)
    if not plain:
        return '""'
    if "|" in plain:
        # A pipe cannot stand in a code span both inside and outside a table; an escaped one can in text.
        return escape(plain)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    padding = " " if "`" in plain else ""
    return f"{fence}{padding}{plain}{padding}{fence}"


def quantity(value: float, unit: str = "") -> str:
    """Return a number rounded for reading.

    Examples:
        >>> quantity(0.62049), quantity(21.34, "dB"), quantity(0.0123, "s"), quantity(150528, "B")
        ('0.620', '21.3 dB', '12.3 ms', '150.5 kB')
    """
    return estimate(value, None, None, unit)


def three_figures(value: float) -> str:
    """Round a number to three figures, or to its figures before the point where these are more.

    Examples:
        >>> three_figures(1.234), three_figures(23.45), three_figures(5678.9)
        ('1.23', '23.4', '5679')
    """
    return f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}" if abs(value) < 99.95 else f"{value:.0f}"


def estimate(value: Any, low: Any, high: Any, unit: str = "") -> str:
    """Return a number with its interval, all in the same unit.

    Examples:
        >>> estimate(0.62, 0.58, 0.66), estimate(0.5, None, None), estimate(float("nan"), None, None)
        ('0.620 [0.580, 0.660]', '0.500', '–')
        >>> estimate(0.99, 0.98, 1.01, "s")
        '990.0 [980.0, 1010.0] ms'
    """
    if pd.isna(value):
        return NOTHING
    factor, digits, shown = _scale(abs(value), unit)
    # Adding zero turns minus zero into zero.
    texts = [
        f"{round(number / factor, digits) + 0.0:.{digits}f}"
        for number in (value, low, high)
        if not pd.isna(number)
    ]
    interval = f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 else ""
    return f"{texts[0]}{interval} {shown}".rstrip()


def shown(found: Estimate) -> str:
    """Return an estimate with its interval."""
    return estimate(found.value, *(found.ci95 or (None, None)))


def _scale(size: float, unit: str) -> tuple[float, int, str]:
    """Return what to divide by, how many digits to show, and the unit that results."""
    if unit == "s":
        return (1.0, 2, "s") if size >= 1 else (1e-3, 1, "ms")
    if unit == "B":
        prefixes = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
        return next(((factor, 1, shown) for factor, shown in prefixes if size >= factor), (1.0, 0, "B"))
    return (1.0, 1, "dB") if unit == "dB" else (1.0, 3, unit)


def arrow(better: str) -> str:
    """Return the arrow that shows which way the defender wants a number to go."""
    return {"higher": " ↑", "lower": " ↓"}.get(better, "")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table.

    Args:
        rows: Cells that are Markdown already.
        left: How many of the first columns are text and aligned to the left.
    """
    sides = ["left" if index < left else "right" for index in range(len(headers))]
    text: str = tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=sides)
    return text

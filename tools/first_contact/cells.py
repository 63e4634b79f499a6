"""Cells of the page's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pedbench.report.words.text import NOTHING, code, quantity


def duration(row: Mapping[str, Any]) -> str:
    """Return the seconds of a measurement, or "failed"."""
    return "failed" if "error" in row else quantity(row["seconds"], "s")


def memory(row: Mapping[str, Any]) -> str:
    """Return the peak memory of a measurement, where there is one."""
    return quantity(row["peak_bytes"], "B") if "peak_bytes" in row else NOTHING


def ratio(row: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """Return the time of a measurement as a multiple of another's, where both have one."""
    if "seconds" not in row or "seconds" not in reference:
        return NOTHING
    return f"{row['seconds'] / reference['seconds']:.3g}"


def small_number(row: Mapping[str, Any], name: str) -> str:
    """Return a difference with two figures, where there is one."""
    return f"{row[name]:.1e}" if name in row else NOTHING


def errors(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return the errors of failed measurements as a list, each with those rows' distinct values of a column."""
    failed: dict[str, list[str]] = {}
    for row in rows:
        if "error" in row:
            failed.setdefault(row["error"], []).append(str(row[name]))
    return "\n".join(f"- {', '.join(dict.fromkeys(each))}: {code(error)}" for error, each in failed.items())

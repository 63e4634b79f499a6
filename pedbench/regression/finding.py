"""The outcome of one check of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        subject: What was checked, in words, e.g. a cell.
        problem: Empty where nothing is wrong.
        detail: What was found, where nothing is wrong.
        note: What is to say about the suite, or what could not be checked here, and why.
        unchecked: Whether the note is about what could not be checked.
    """

    subject: str
    problem: str = ""
    detail: str = ""
    note: str = ""
    unchecked: bool = False

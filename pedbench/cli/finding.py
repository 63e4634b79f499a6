"""What `pedbench doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        cure: What to do; empty when nothing is wrong.
        needed: Whether a run cannot do without it.
    """

    what: str
    found: str
    cure: str = ""
    needed: bool = True

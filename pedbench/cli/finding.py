"""Findings of `pedbench doctor`, and the memory of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        subject: The thing, e.g. "package torch".
        found: Its state, in words.
        cure: The remedy; empty if nothing is wrong.
        needed: Whether a run fails without it.
    """

    subject: str
    found: str
    cure: str = ""
    needed: bool = True

    @property
    def status(self) -> Literal["ok", "missing", "note"]:
        """Whether nothing is wrong, a run fails, or a run does without."""
        return "ok" if not self.cure else "missing" if self.needed else "note"


def memory_gb() -> float:
    """Return this machine's physical memory in gigabytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9

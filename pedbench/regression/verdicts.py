"""The lines of a comparison, and which of them fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pedbench.report.words.inline import Inline

Verdict = Literal[
    "worse", "better", "unclear", "same", "not comparable", "missing", "failed", "invalid", "skipped", "new",
    "not judged",
]  # fmt: skip

FAILING: tuple[Verdict, ...] = (
    "failed", "invalid", "missing", "skipped", "not comparable", "worse", "better",
)  # fmt: skip
"""Verdicts that fail, in the order of reports. Better fails until it is accepted: often an attack broke."""

VERDICTS: dict[Verdict, str] = {
    "worse": "beyond its tolerance, against the defender",
    "better": "beyond its tolerance, for the defender: accept it, or find the attack that broke",
    "unclear": "beyond its tolerance, but pictures speak for both directions",
    "same": "within its tolerance",
    "not comparable": "other version, weights or parameters, or a result where the baseline has none",
    "missing": "in the baseline, not in the run",
    "failed": "failed in the run",
    "invalid": "invalid in the run",
    "skipped": "measured in the baseline, skipped in the run",
    "new": "in the run, not in the baseline: not judged until it is accepted",
    "not judged": "differs, and is no number that is judged",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number of one cell, or a whole cell (no metric).

    Attributes:
        cell_id: In the baseline; of what is new, in the run.
        defense: As tables call it.
        attack: Likewise; empty where the cell has none.
        cell: The cell without its defense, in words.
        difference: Run minus baseline, the mean over pairs; of a ratio of times, their quotient.
        ci95: Paired bootstrap interval of it over pictures; None where it says nothing.
        n: Pictures.
        note: What else there is to say.
        suspects: Plugins of the cell whose source changed and whose version did not.
    """

    cell_id: str
    verdict: Verdict
    defense: str = ""
    attack: str = ""
    cell: Inline = ""
    metric: str = ""
    region: str = ""
    better: str = ""
    unit: str = ""
    base: float | None = None
    new: float | None = None
    difference: float | None = None
    ci95: tuple[float, float] | None = None
    n: int = 0
    tolerance: float | None = None
    note: str = ""
    suspects: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        return self.verdict in FAILING

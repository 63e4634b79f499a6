"""What came of a fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from pedbench.report.words.text import NOTHING


@dataclass(kw_only=True)
class Tally:
    """What came of a fault over all tries.

    Attributes:
        survived: Tries that ended with the right result.
        closed: Tries that ended with an error that says what happened, and without a result.
        lost: Finished records that are not there any more; None where a try makes none.
        strays: Windows that reached a server which they were not assigned to.
        orphans: Processes that were left over.
        overdue: Longest time past the deadline in seconds; None where there is none.
        wrong: What must not be, in words.
    """

    fault: str
    tries: int = 0
    survived: int = 0
    closed: int = 0
    lost: int | None = None
    strays: int = 0
    orphans: int = 0
    overdue: float | None = None
    wrong: list[str] = field(default_factory=list)

    def late(self, seconds: float) -> None:
        """Note a time past the deadline."""
        self.overdue = max(self.overdue or 0.0, seconds)

    @property
    def bad(self) -> list[str]:
        """What must not be, counts included."""
        counts = {"records lost": self.lost, "windows elsewhere": self.strays, "orphans": self.orphans}
        return self.wrong + [f"{self.fault}: {count} {what}" for what, count in counts.items() if count]


HEADERS = (
    "fault",
    "tries",
    "survived",
    "failed closed",
    "records lost",
    "windows at a server not allowed",
    "orphans",
    "longest past the deadline",
)


def rows(tallies: list[Tally]) -> list[list[str]]:
    """Lines of the table."""
    return [
        [
            tally.fault,
            str(tally.tries),
            str(tally.survived),
            str(tally.closed),
            NOTHING if tally.lost is None else str(tally.lost),
            str(tally.strays),
            str(tally.orphans),
            NOTHING if tally.overdue is None else f"{tally.overdue:.2f} s",
        ]
        for tally in tallies
    ]

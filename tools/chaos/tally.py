"""Results of a fault over all tries."""

from __future__ import annotations

from dataclasses import dataclass, field

from pedbench.report.words.text import NOTHING


@dataclass(kw_only=True)
class Tally:
    """Counts of one fault over all tries.

    Attributes:
        survived: Tries that ended with the right result.
        closed: Tries that ended with an error that says what happened, and without a result.
        lost: Finished records that are missing afterwards; None if a try makes no records.
        strays: Windows that reached a server which they were not assigned to.
        orphans: Processes that outlived the try.
        overdue: Longest time past the deadline in seconds; None without a deadline.
        wrong: Descriptions of wrong results.
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
        """Descriptions of all wrong results, counts included."""
        counts = {"records lost": self.lost, "windows elsewhere": self.strays, "orphans": self.orphans}
        return self.wrong + [f"{self.fault}: {count} {name}" for name, count in counts.items() if count]


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
    """Make the rows of the table."""
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

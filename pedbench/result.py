"""The result of a run for Python and notebooks: tables, figures, and what did not go well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pedbench.errors import suggestion
from pedbench.results.records import Record
from pedbench.results.run import Run
from pedbench.validity.controls import broken_controls

if TYPE_CHECKING:
    import pandas as pd

    from pedbench.report.figures.drawing import Drawing
    from pedbench.report.outputs.content import Content


@dataclass(frozen=True)
class Result:
    """A finished run, with its tables and figures computed when they are asked for.

    In a notebook it shows the combined table, one line a defense.

    Attributes:
        run: Its records and values.
    """

    run: Run

    @property
    def directory(self) -> Path:
        """The run's directory: its report, tables, figures, records and values."""
        return self.run.directory

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of the report as a tidy frame: one row a number, in full precision.

        Args:
            name: "combined" (one row a defense), "utility", "privacy", "latency", "claims", "integrity",
                "comparisons", "worst_case", "attackers", "coalition_curve", "retrieval" or "sweeps".

        Raises:
            KeyError: There is no such table.
        """
        frames = self._content.frames
        if name not in frames:
            raise KeyError(_unknown("table", name, [*frames]))
        return frames[name].copy()

    def figure(self, name: str = "privacy_utility") -> Drawing:
        """Return a figure of the report, which a notebook shows; its attribute `figure` is matplotlib's.

        Raises:
            KeyError: There is no such figure: the run does not have what it shows.
        """
        drawings = {drawing.name: drawing for drawing in self._content.figures}
        if name not in drawings:
            raise KeyError(_unknown("figure", name, [*drawings]))
        return drawings[name]

    @cached_property
    def failed(self) -> list[Record]:
        """Records of the cells that failed or are invalid."""
        return [record for record in self.run.records if record.status in ("failed", "invalid")]

    @cached_property
    def problems(self) -> list[str]:
        """Problems, a sentence each: causes for which cells failed, and controls that did not come out."""
        causes: dict[tuple[str, str], list[Record]] = {}
        for record in self.failed:
            causes.setdefault((record.status, record.reason), []).append(record)
        cells = [
            f"{status}: {', '.join(dict.fromkeys(_measured(record) for record in records))} "
            f"({records[0].cell_id}{f' and {len(records) - 1} more cells' if records[1:] else ''}): {reason}"
            for (status, reason), records in causes.items()
        ]
        return [*cells, *(f"the run is invalid: {control}" for control in broken_controls(self.run))]

    @property
    def ok(self) -> bool:
        """Whether nothing failed and all controls came out."""
        return not self.problems

    def _repr_markdown_(self) -> str:
        listed = "\n".join(f"- {sentence}" for sentence in self.problems)
        page = f"Report: `{self.directory / 'report.html'}`"
        combined = self._content.combined
        table = combined.markdown() if combined else ""
        return "\n\n".join(filter(None, [self._content.headline, table, listed, page]))

    @cached_property
    def _content(self) -> Content:
        from pedbench.report.outputs.content import gather

        return gather(self.run)


def _measured(record: Record) -> str:
    return f"{record.cell['kind']} of {record.cell['defense']['name']}"


def _unknown(kind: str, name: str, known: list[str]) -> str:
    return f"there is no {kind} {name!r}{suggestion(name, known)}. There are: {', '.join(known)}."

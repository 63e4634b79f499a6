"""Values, problems and flags that come of measuring some cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pedbench.errors import AuditError, DisclosureError, PluginUnavailable, plugin_line
from pedbench.results.exhibits import Exhibit
from pedbench.suites.cell import Cell
from pedbench.types import Status
from pedbench.validity.flags import DEGRADED

Row = dict[str, Any]
"""One value; its keys are columns of `values.SCHEMA`."""


class DegradedPass(RuntimeError):
    """A pass whose times are none of the defense, as the edge did the work of a server that was lost."""


class InvalidEmbedding(ValueError):
    """An embedding of which no masks can be made."""


@dataclass(kw_only=True)
class Outcome:
    """Results of some cells on some pictures.

    Attributes:
        rows: Values by cell id.
        problems: Status and reason of the cells that cannot be finished, by cell id.
        unfit: Why there was nothing to measure on these pictures, by cell id.
        flags: Soundness flags by cell id.
        distrust: Why the content of some cells counts as the whole frame, whatever operations of plugins show of it.
        confinement: Means of the kernel by cell id, and whether each confined all jobs of attacks.
        uploads: Pictures that were sent elsewhere for a cell, by cell id and host.
        guesses: By attack, how many seconds each guess took.
        exhibits: What people will be shown.
    """

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    problems: dict[str, tuple[Status, str]] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    flags: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    distrust: dict[str, str] = field(default_factory=dict)
    confinement: dict[str, dict[str, bool]] = field(default_factory=dict)
    uploads: dict[str, dict[str, int]] = field(default_factory=dict)
    guesses: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    exhibits: list[Exhibit] = field(default_factory=list)

    def spoil(self, cells: Iterable[Cell], status: Status, reason: str) -> None:
        """Give cells up; the first reason stays."""
        for cell in cells:
            self.problems.setdefault(cell.cell_id, (status, reason))
            self.rows.pop(cell.cell_id, None)

    def flag(self, cells: Iterable[Cell], flag: str) -> None:
        """Put a soundness flag on cells."""
        for cell in cells:
            self.flags[cell.cell_id].add(flag)

    def add_uploads(self, cell_id: str, hosts: Mapping[str, int]) -> None:
        """Count pictures that were sent elsewhere for a cell, by host."""
        if hosts:
            before = self.uploads.get(cell_id, {})
            self.uploads[cell_id] = dict(Counter(before) + Counter(hosts))

    @contextmanager
    def giving_up(self, cells: Iterable[Cell], stage: str) -> Iterator[None]:
        """Spoil these cells if anything is raised inside; the run goes on with the others."""
        try:
            yield
        except PluginUnavailable as error:
            self.spoil(cells, "skipped", str(error))
        except DegradedPass as error:
            self.spoil(cells, "skipped", f"{stage}: {error}")
            self.flag(cells, DEGRADED)
        except (AuditError, DisclosureError, InvalidEmbedding) as error:
            self.spoil(cells, "invalid", f"{stage}: {error}")
        except Exception as error:
            self.spoil(cells, "failed", f"{stage}: {type(error).__name__}: {error}{plugin_line(error)}")

"""`pedbench ranks`: do two runs put the defenses in the same order?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare_ranks(
    first: Annotated[Path, typer.Argument(help="A run directory, e.g. of mini.")],
    second: Annotated[Path, typer.Argument(help="Another, e.g. of coco.")],
) -> None:
    """Correlate the order of defenses between two runs, whatever their models and pictures."""
    from pedbench.report.numbers.combined import combined
    from pedbench.report.numbers.ranks import agreement_table, agreements, values_table
    from pedbench.results.run import load

    runs = [load(path) for path in (first, second)]
    for word, run in zip(("first", "second"), runs, strict=True):
        flags = {flag for record in run.records for flag in record.flags}
        doubts = [flag for flag in ("weights unverified", "few pictures") if flag in flags]
        print(
            f"{word} run: suite {run.suite.name}, model {run.suite.model}, {run.pictures} pictures of "
            f"{run.suite.dataset.name}{'; ' if doubts else ''}{', '.join(doubts)}"
        )
    found = agreements(*(combined(run) for run in runs))
    print(f"\n{agreement_table(found)}")
    for each in found:
        if len(each.values):
            print(f"\n{values_table(each)}")

"""`pedbench report`: write the report of a run again, or one of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def write_reports(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run directories; the newest without any.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("reports"),
) -> None:
    """Write the report of a run again, without measuring.

    That is report.html, report.md, tables and figures.
    Several runs of the same pictures with the same model become a new run directory with one report.
    """
    from pedbench.report.outputs.writing import write_report
    from pedbench.results.merge import merge
    from pedbench.results.run import load

    given = list(dict.fromkeys(path.resolve() for path in runs or [out / "latest"]))
    directory = given[0] if len(given) == 1 else merge(given, out / "runs")
    written = write_report(load(directory))
    print(f"Report: {written.with_suffix('.html')}")

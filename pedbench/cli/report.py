"""`pedbench report`: write the report of one run again, or one report of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pedbench.cli import options


def write_reports(
    runs: Annotated[list[Path] | None, typer.Argument(help="Run directories; by default the newest.")] = None,
    out: options.Out = Path("reports"),
) -> None:
    """Write the report of a run again, without measuring.

    The report is report.html, report.md, tables and figures. Several runs of the same pictures with the same model are
    merged into a new run directory. Two runs of one suite, such as two versions of a defense or two machines, are also
    shown side by side.
    """
    from pedbench.host.console import Console
    from pedbench.report.outputs.writing import write_report
    from pedbench.results.merge import merge
    from pedbench.results.run import load

    directories = list(dict.fromkeys(path.resolve() for path in runs or [out / "latest"]))
    directory = directories[0] if len(directories) == 1 else merge(directories, out / "runs")
    sides = [load(path) for path in directories] if len(directories) == 2 else []
    shown = sides if len({run.suite.name for run in sides}) == 1 else ()
    written = write_report(load(directory), shown, Console())
    print(f"Report: {written.with_suffix('.html')}")

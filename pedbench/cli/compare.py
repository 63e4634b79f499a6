"""`pedbench compare`, `gate`, `accept-baseline`, `set-tolerance`: compare a run with another run or a baseline."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pedbench.cli import options

if TYPE_CHECKING:
    from pedbench.regression.measured import Measured
    from pedbench.regression.verdicts import Line

SHOWN = 60
"""Most numbers that the gate lists; `pedbench compare` lists all."""


def compare_runs(
    base: Annotated[Path, typer.Argument(help="A run directory, or the records of a baseline (NAME.jsonl).")],
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    everything: Annotated[bool, typer.Option("--all", help="Also list equal and unjudged numbers.")] = False,
    ranks: Annotated[
        bool,
        typer.Option(
            "--ranks", help="Correlate rankings of defenses instead, also of other models or pictures."
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show two runs side by side and list their differences.

    In a GitHub workflow, the table of both is also written to the step's summary.
    """
    if ranks:
        _compare_ranks(base, run, as_json=as_json)
        return
    if not as_json and base.suffix != ".jsonl":
        _show_sides(base, run)
    from pedbench.regression.compare import compare
    from pedbench.regression.markdown import counted, numbers, whole_cells
    from pedbench.regression.measured import measured_run

    lines = compare(_measured(base), measured_run(run))
    if as_json:
        options.print_json(**_comparison(lines, everything=everything))
        return
    for part in (counted(lines), whole_cells(lines), numbers(lines, everything=everything)):
        if part:
            print(f"{part}\n")


def _comparison(lines: Sequence[Line], *, everything: bool) -> dict[str, Any]:
    """Return the number of lines of each verdict, and the lines: those that differ, or with `everything` all."""
    from pedbench.regression.markdown import QUIET
    from pedbench.report.words.inline import plain_text

    shown = [line for line in lines if everything or line.verdict not in QUIET]
    return {
        "verdicts": Counter(line.verdict for line in lines),
        "lines": [asdict(line) | {"cell": plain_text(line.cell)} for line in shown],
    }


def _show_sides(*paths: Path) -> None:
    from pedbench.report.numbers.side_by_side import side_by_side
    from pedbench.report.outputs.terminal import print_sides
    from pedbench.report.tables.side_by_side import NOTE, side_table
    from pedbench.results.run import load

    frame = side_by_side(*(load(path) for path in paths))
    if len(frame):
        table = side_table(frame)
        text = f"{NOTE}\n\n{table.markdown()}\n"
        if sys.stdout.isatty():
            print_sides(table)
        else:
            print(text)
        _summarise(text)


def _summarise(text: str) -> None:
    """Append to the summary of a GitHub workflow's step, if this is one."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)


def _compare_ranks(*paths: Path, as_json: bool) -> None:
    from pedbench.report.numbers.combined import combined
    from pedbench.report.numbers.ranks import agreements
    from pedbench.report.tables.comparisons import agreement_table, values_table
    from pedbench.report.words.text import flat
    from pedbench.results.run import load

    runs = [load(path) for path in paths]
    found = agreements(*(combined(run) for run in runs))
    if as_json:
        options.print_json(
            measures=[
                {
                    "measure": each.measure,
                    "spearman": each.spearman,
                    "kendall": each.kendall,
                    "defenses": each.values.to_dict("records"),
                }
                for each in found
            ]
        )
        return
    for ordinal, run in zip(("first", "second"), runs, strict=True):
        flags = {flag for record in run.records for flag in record.flags}
        warnings = [flag for flag in ("weights unverified", "few pictures") if flag in flags]
        about = f"{ordinal} run: suite {run.suite.name}, model {run.suite.model}, {run.pictures} pictures of "
        print(flat(f"{about}{run.suite.dataset.name}{'; ' if warnings else ''}{', '.join(warnings)}"))
    print(f"\n{agreement_table(found).markdown()}")
    for each in found:
        if len(each.values):
            print(f"\n{values_table(each).markdown()}")


def gate(
    baseline: Annotated[Path, typer.Option(help="Records of the baseline, NAME.jsonl.")],
    run: Annotated[Path, typer.Option(help="A run directory.")] = Path("reports/latest"),
    junit: Annotated[Path | None, typer.Option(help="Also write the outcome as JUnit XML.")] = None,
) -> None:
    """Compare a run with a baseline; exit with 1 on a change.

    Improvements count as changes. In a GitHub workflow, the outcome is also written to the step's summary.
    """
    from pedbench.regression.baseline import read_baseline
    from pedbench.regression.compare import compare
    from pedbench.regression.junit import write_junit
    from pedbench.regression.markdown import outcome
    from pedbench.regression.measured import measured_run
    from pedbench.validity.controls import broken_controls

    accepted, about = read_baseline(baseline)
    measured = measured_run(run)
    lines = compare(accepted, measured)
    broken = broken_controls(measured.run)
    text = outcome(lines, broken, accepted, measured, about, most=SHOWN)
    print(text)
    _summarise(text)
    if junit is not None:
        write_junit(junit, lines, broken)
    if broken or any(line.fails for line in lines):
        sys.exit(1)


def accept_baseline(
    run: Annotated[Path, typer.Argument(help="The run directory that becomes the baseline.")],
    baseline: Annotated[Path, typer.Option(help="File to write its records to, NAME.jsonl.")],
    reason: Annotated[str, typer.Option("--why", help="The reason, logged with the differences.")],
    repeat: Annotated[list[Path], typer.Option(help="A repetition of the run; may be given several times.")],
) -> None:
    """Make a run the baseline, and log the reason.

    Tolerances are the differences between the run and its repetitions.
    """
    from pedbench.regression.accept import accept

    print(accept(run, repeat, baseline, reason))


def set_tolerance(
    baseline: Annotated[Path, typer.Argument(help="Records of the baseline, NAME.jsonl.")],
    metric: Annotated[str, typer.Option(help="Metric, as `pedbench compare` lists it.")],
    reason: Annotated[str, typer.Option("--why", help="The reason, logged with the change.")],
    value: Annotated[
        float, typer.Option("--range", min=0, help="Range of its mean, of which twice is tolerated.")
    ],
    region: Annotated[str, typer.Option(help="Region of the metric.")] = "",
) -> None:
    """Set a tolerance of a baseline, and log the reason."""
    from pedbench.regression.baseline import set_range

    print(set_range(baseline, metric, region, value, reason))


def _measured(path: Path) -> Measured:
    from pedbench.regression.baseline import read_baseline
    from pedbench.regression.measured import measured_run

    return read_baseline(path)[0] if path.suffix == ".jsonl" else measured_run(path)

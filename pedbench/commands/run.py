"""`pedbench run`: measure a suite."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Names = list[str] | None


def run_suite(
    suite: Annotated[str | None, typer.Argument(help="A suite's name or the path of a suite file.")] = None,
    named: Annotated[str | None, typer.Option("--suite", help="The same as the argument.")] = None,
    defense: Annotated[Names, typer.Option(help="Run this defense only; may be repeated.")] = None,
    attack: Annotated[Names, typer.Option(help="Run this attack only; may be repeated.")] = None,
    sweep: Annotated[
        Names, typer.Option(help="DEFENSE.PARAMETER=VALUE,VALUE,...: one run per value.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Another dataset.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the dataset lies.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another base seed.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model family.")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only the suite's part for a quick look.")] = False,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("reports"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew instead of completing a run.")] = False,
) -> None:
    """Run a suite (mini, unless told otherwise) and print its report.

    The same selection continues in the same run directory: what is finished there is not run again, what
    failed is tried again. The exit status is 1 when cells failed or a control did not come out.
    """
    from pedbench.console import Console
    from pedbench.records import read_plan, read_records
    from pedbench.registry import Registry
    from pedbench.resolve import Overrides, resolve
    from pedbench.run_directory import locked, run_directory, settle
    from pedbench.suite import load_suite, quicker

    if suite and named and suite != named:
        raise ValueError(f"two suites were given, {suite!r} and {named!r}; one run takes one.")
    overrides = Overrides(
        defenses=defense or (),
        attacks=attack or (),
        sweeps=sweep or (),
        dataset=dataset,
        data=data,
        limit=limit,
        seed=seed,
        model=model,
    )
    loaded = load_suite(suite or named or "mini")
    plugins = [path.expanduser().resolve() for path in plugin or ()]
    resolved = resolve(quicker(loaded) if quick else loaded, overrides, Registry(plugins))
    directory = run_directory(out, resolved, fresh=fresh)
    console = Console()
    # They bring models and statistics along, which take seconds to import: wrong input is told of before.
    from pedbench.controls import controls
    from pedbench.runner import run

    with locked(directory):
        try:
            run(resolved, directory, console, plugins)
        finally:
            settle(directory)
    report = directory / "report.md"
    print(report.read_text(encoding="utf-8"))
    console.line(f"Report: {report}")
    records = read_records(directory)
    bad = [
        records[cell_id]
        for cell_id in read_plan(directory)
        if records[cell_id].status in ("failed", "invalid")
    ]
    for record in bad:
        defense_name = record.cell["defense"]["name"]
        console.line(
            f"{record.status}: {record.cell['kind']} of {defense_name} ({record.cell_id}): {record.reason}"
        )
    broken = [str(control) for control in controls(directory) if control.verdict == "fails"]
    for sentence in broken:
        console.line(f"the run is invalid: {sentence}")
    if bad or broken:
        sys.exit(1)

"""`pedbench verify`: recompute a run's numbers and measure a sample of its cells again."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pedbench.cli import options

if TYPE_CHECKING:
    from pedbench.regression.finding import Finding


def verify_run(
    run: Annotated[Path | None, typer.Argument(help="A run directory; by default the newest.")] = None,
    cells: Annotated[
        int,
        typer.Option(
            min=0, help="Number of cells to measure again, and of those without a result to try again."
        ),
    ] = 6,
    pictures: Annotated[int, typer.Option(min=1, help="Number of pictures per cell.")] = 2,
    seed: Annotated[int | None, typer.Option(help="Seed of the choice of cells; by default random.")] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="Largest difference of a value, absolute or relative, whichever is larger."),
    ] = 1e-3,
    plugin: options.Plugins = None,
    out: options.Out = Path("reports"),
) -> None:
    """Recompute a run's numbers, check the laws of the protocol on them, and measure a sample again.

    The exit status is 1 if anything differs; notes say what could not be checked here. Times are not measured again.
    """
    from pedbench.host.console import Console
    from pedbench.registry import Registry
    from pedbench.regression.laws import check_laws
    from pedbench.regression.redo import redo
    from pedbench.regression.verify import check_records
    from pedbench.results.run import load

    directory = (run or out / "latest").resolve()
    plugins = [path.expanduser().resolve() for path in plugin or ()]
    problems = _print_findings("records", check_records(directory, Registry(plugins)), quiet=True)
    problems += _print_findings("laws", check_laws(load(directory)), quiet=True)
    seed = secrets.randbelow(2**32) if seed is None else seed
    if cells:
        print(f"measuring {cells} cells again on {pictures} pictures, seed {seed}")
        findings = redo(
            directory, plugins, Console(), cells=cells, pictures=pictures, seed=seed, tolerance=tolerance
        )
        problems += _print_findings("cells measured again", findings)
    if problems:
        print(f"{directory.name} is not confirmed: {problems} problems.", file=sys.stderr)
        sys.exit(1)
    print(f"{directory.name} is confirmed.")


def _print_findings(title: str, findings: Iterable[Finding], quiet: bool = False) -> int:
    """Print findings as they arrive, with `quiet` only problems; return the number of problems."""
    from pedbench.report.words.text import flat

    count = 0
    problems = 0
    for finding in findings:
        count += not finding.note
        problems += bool(finding.problem)
        if finding.problem or finding.note or not quiet:
            mark = "differs" if finding.problem else "note" if finding.note else "ok"
            text = finding.problem or finding.note or finding.detail
            print(f"  {mark:8}{flat(f'{finding.subject}: {text}')}")
    print(f"{title}: {count - problems} of {count} confirmed")
    return problems

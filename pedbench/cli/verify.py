"""`pedbench verify`: does a run say what it measured?"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pedbench.regression.verify import Finding


def verify_run(
    run: Annotated[Path | None, typer.Argument(help="A run directory; the newest without it.")] = None,
    cells: Annotated[int, typer.Option(min=0, help="How many cells are measured again.")] = 6,
    pictures: Annotated[int, typer.Option(min=1, help="On how many pictures each.")] = 2,
    seed: Annotated[int | None, typer.Option(help="Of the choice, to repeat one.")] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="By which a value may differ, absolute or relative, whichever is more."),
    ] = 1e-3,
    plugin: Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("reports"),
) -> None:
    """Recompute a run's numbers, and measure a sample again.

    The exit status is 1 when anything differs. Times are not measured again.
    """
    from pedbench.host.console import Console
    from pedbench.registry import Registry
    from pedbench.regression.verify import check_records, redo

    directory = (run or out / "latest").resolve()
    plugins = [path.expanduser().resolve() for path in plugin or ()]
    wrong = _tell("records", check_records(directory, Registry(plugins)), quiet=True)
    chosen = secrets.randbelow(2**32) if seed is None else seed
    if cells:
        print(f"measuring {cells} cells again on {pictures} pictures, seed {chosen}")
        again = redo(
            directory, plugins, Console(), cells=cells, pictures=pictures, seed=chosen, tolerance=tolerance
        )
        wrong += _tell("cells measured again", again)
    if wrong:
        print(f"{directory.name} does not hold: {wrong} findings.", file=sys.stderr)
        sys.exit(1)
    print(f"{directory.name} holds.")


def _tell(what: str, findings: Iterable[Finding], quiet: bool = False) -> int:
    """Print findings, those without a problem only unless quiet; returns how many have one."""
    found = 0
    wrong = 0
    for finding in findings:
        found += 1
        wrong += bool(finding.problem)
        if finding.problem or not quiet:
            mark = "differs" if finding.problem else "ok"
            print(f"  {mark:8}{finding.subject}: {finding.problem or finding.detail}")
    print(f"{what}: {found - wrong} of {found} hold")
    return wrong

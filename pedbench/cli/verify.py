"""`pedbench verify`: recompute a run's numbers and measure a sample of its cells again."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import pedbench
from pedbench.cli import options

if TYPE_CHECKING:
    from pedbench.regression.finding import Finding


MOST_SAVED = 100
"""Sentences of a kind that `--save` keeps."""


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
    save: Annotated[
        Path | None, typer.Option(help="File to write the outcome to, for `pedbench leaderboard`.")
    ] = None,
    plugin: options.Plugins = None,
    out: options.Out = Path("reports"),
) -> None:
    """Recompute a run's numbers, and measure a sample again.

    The numbers have to keep the laws of the protocol, too.

    The exit status is 1 if anything differs; notes say what could not be checked here. Times are not measured again.
    """
    from pedbench.host.console import Console
    from pedbench.registry import Registry
    from pedbench.regression.laws import check_laws
    from pedbench.regression.redo import redo
    from pedbench.regression.verify import check_records
    from pedbench.report.words.text import flat
    from pedbench.results.run import load
    from pedbench.results.verification import Verification, run_digest, write_verification

    directory = (run or out / "latest").resolve()
    plugins = [path.expanduser().resolve() for path in plugin or ()]
    digest = run_digest(directory)
    findings = _print_findings("records", check_records(directory, Registry(plugins)), quiet=True)
    findings += _print_findings("laws", check_laws(load(directory)), quiet=True)
    random_seed, seed = seed is None, secrets.randbelow(2**32) if seed is None else seed
    if cells:
        print(f"measuring {cells} cells again on {pictures} pictures, seed {seed}")
        redone = redo(
            directory, plugins, Console(), cells=cells, pictures=pictures, seed=seed, tolerance=tolerance
        )
        findings += _print_findings("cells measured again", redone)
    problems = sum(bool(finding.problem) for finding in findings)
    if save is not None:

        def sentences(kind: str, unchecked: bool = False) -> list[str]:
            chosen = [each for each in findings if getattr(each, kind) and each.unchecked == unchecked]
            return [flat(f"{each.subject}: {getattr(each, kind)}") for each in chosen[:MOST_SAVED]]

        outcome = Verification(
            run=digest,
            utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            pedbench=pedbench.__version__,
            seed=seed,
            random_seed=random_seed,
            cells=cells,
            pictures=pictures,
            tolerance=tolerance,
            problems=sentences("problem"),
            notes=sentences("note"),
            unchecked=sentences("note", unchecked=True),
        )
        write_verification(save, outcome)
    if problems:
        print(f"{directory.name} is not confirmed: {problems} problems.", file=sys.stderr)
        sys.exit(1)
    print(f"{directory.name} is confirmed.")


def _print_findings(title: str, findings: Iterable[Finding], quiet: bool = False) -> list[Finding]:
    """Print findings as they arrive, with `quiet` only problems and notes, and return them."""
    from pedbench.report.words.text import flat

    seen = []
    for finding in findings:
        seen.append(finding)
        if finding.problem or finding.note or not quiet:
            mark = "differs" if finding.problem else "note" if finding.note else "ok"
            text = finding.problem or finding.note or finding.detail
            print(f"  {mark:8}{flat(f'{finding.subject}: {text}')}")
    count = sum(not finding.note for finding in seen)
    problems = sum(bool(finding.problem) for finding in seen)
    print(f"{title}: {count - problems} of {count} confirmed")
    return seen

"""`pedbench leaderboard`: write the site of submitted runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def write_site(
    runs: Annotated[list[Path], typer.Argument(help="Submissions: run directories with a SUBMISSION.toml.")],
    out: Annotated[Path, typer.Option(help="Folder to write the site to.")],
    verifications: Annotated[
        Path | None,
        typer.Option(help="Folder with the outcomes of `pedbench verify RUN --save FOLDER/NAME.json`."),
    ] = None,
) -> None:
    """Write a leaderboard of submitted runs as a static site.

    Each version of a suite has a page. Runs of other pictures, seeds or attacks stand apart. The exit status is 1 if a
    submission is refused; the others are listed all the same.
    """
    from pedbench.host.console import harmless
    from pedbench.report.leaderboard.site import write_leaderboard

    submissions = write_leaderboard([path.resolve() for path in runs], out, verifications)
    for each in submissions:
        print(harmless(f"{each.slug}: {each.status}{f', {each.reason}' if each.reason else ''}"))
    print(f"Leaderboard: {out / 'index.html'}")
    if any(each.status == "refused" for each in submissions):
        raise typer.Exit(1)

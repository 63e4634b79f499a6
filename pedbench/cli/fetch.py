"""`pedbench fetch`: download published weights and datasets."""

from __future__ import annotations

from typing import Annotated

import typer


def fetch_files(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of entries; without names, all entries are listed.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the files that would be fetched.")
    ] = False,
) -> None:
    """Download checkpoints and datasets, and verify them.

    An interrupted download continues. PEDBENCH_HOME names the target folder, PEDBENCH_MIRROR a mirror and
    PEDBENCH_CATALOGUE a file of further entries; PEDBENCH_OFFLINE=1 forbids downloads. Proxies are taken from the
    environment.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from pedbench.fetching.catalogue import catalogue, entry
    from pedbench.fetching.fetch import fetch, missing, states
    from pedbench.host.home import home

    if not names or dry_run:
        for name in names or catalogue():
            item, files = entry(name), states(name)
            complete = all(state.here for state in files)
            size = "here" if complete else f"{missing(name) / 1e6:,.0f} MB to fetch"
            print(f"{name:14} {item.about}; {item.licence}; {size}")
            for state in files if dry_run else ():
                source = "here" if state.here else f"from {state.file.sources[0]}"
                print(f"{'':14} {source}: {state.path}")
        print(f"in {home()}")
        return
    for name in names:
        entry(name)
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        for name in names:
            task = bar.add_task(name, total=None)

            def show_progress(fetched: int, total: int | None, task: int = task) -> None:
                bar.update(task, completed=fetched, total=total)  # type: ignore[arg-type]

            fetch(name, print, show_progress)

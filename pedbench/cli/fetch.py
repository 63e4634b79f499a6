"""`pedbench fetch`: real weights and COCO."""

from __future__ import annotations

from typing import Annotated

import typer


def fetch_files(
    names: Annotated[list[str] | None, typer.Argument(help="What to fetch; without any, a list.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched.")] = False,
) -> None:
    """Download checkpoints and datasets, and verify them.

    An interrupted download continues.
    PEDBENCH_HOME says where, PEDBENCH_MIRROR names a mirror, PEDBENCH_OFFLINE=1 forbids it. Proxies are taken from
    the environment.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from pedbench.fetching.catalogue import catalogue, entry
    from pedbench.fetching.fetch import fetch, missing, states
    from pedbench.host.home import home

    if not names or dry_run:
        for name in names or catalogue():
            item, files = entry(name), states(name)
            there = all(state.here for state in files)
            size = f"{missing(name) / 1e6:,.0f} MB to fetch"
            print(f"{name:14} {item.about}; {item.licence}; {'here' if there else size}")
            if dry_run:
                for state in files:
                    print(
                        f"{'':14} {'here' if state.here else 'from ' + state.file.sources[0]}: {state.path}"
                    )
        print(f"in {home()}")
        return
    for name in names:
        entry(name)
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        for name in names:
            task = bar.add_task(name, total=None)

            def told(here: int, whole: int | None, task: int = task) -> None:
                bar.update(task, completed=here, total=whole)  # type: ignore[arg-type]

            fetch(name, print, told)

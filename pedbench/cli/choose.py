"""`pedbench choose`: let training pictures say which attack is the strongest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

SEED = 20_000
"""Of scenes that look like training pictures, and that no attacker has been trained on or holds."""


def choose_attacks(
    suite: Annotated[str, typer.Argument(help="A suite's name or the path of a suite file.")] = "mini",
    limit: Annotated[int, typer.Option(min=1, help="How many training pictures.")] = 12,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("reports"),
) -> None:
    """Run a suite's attacks on fresh training pictures and keep which of them is the strongest.

    Later runs of the same attacks report the attacks that were chosen here. The exit status is 1 when an attack
    failed.
    """
    from pedbench.engines.runner import run
    from pedbench.host.console import Console
    from pedbench.host.stopwatch import Profile
    from pedbench.registry import Registry
    from pedbench.results.records import read_records
    from pedbench.results.run_directory import locked, run_directory
    from pedbench.suites.resolve import Overrides, resolve
    from pedbench.suites.schema import load_suite
    from pedbench.validity.preselected_attack import keep_choices

    given = load_suite(suite)
    if given.dataset.name != "scenes":
        raise ValueError(
            f"only the dataset scenes has training pictures; the suite is about {given.dataset.name}"
        )
    params = {**given.dataset.params, "split": "train", "seed": SEED, "count": limit}
    training = given.model_copy(
        update={
            "name": f"{given.name}-training",
            "dataset": given.dataset.model_copy(update={"params": params, "limit": limit}),
            "defenses": [
                each.model_copy(update={"latency": False}) for each in given.defenses if each.privacy
            ],
            "gallery": None,
            "compare_with": None,
        }
    )
    resolved = resolve(training, Overrides(), Registry())
    directory = run_directory(out, resolved)
    with locked(directory):
        run(resolved, directory, Console(), [], Profile())
    new = keep_choices(directory)
    print(f"{len(new)} choices kept from {directory}.")
    if any(record.status in ("failed", "invalid") for record in read_records(directory).values()):
        sys.exit(1)

"""`pedbench train`: make the mini family's weights again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_network(
    name: Annotated[str, typer.Argument(help="What to train, e.g. sam-mini.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's number of steps.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the weights; the package's own without it.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Where to train, as torch names it.")] = None,
) -> None:
    """Train one of the project's networks by its recipe, going on where a former training stopped."""
    from pedbench.models.manifest import ASSETS
    from pedbench.training import train

    train(name, steps=steps, out=out or ASSETS, device=device)

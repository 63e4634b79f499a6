"""`pedbench train completion`, `decoder`, `deblur` and `context`: train attackers' networks for real models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pedbench.host.home import home
from pedbench.training.fine_tuning.attacker_course import Attacker, AttackerRecipe
from pedbench.training.fine_tuning.completion import completion
from pedbench.training.fine_tuning.context import context
from pedbench.training.fine_tuning.deblur import deblur
from pedbench.training.fine_tuning.decoder import decoder
from pedbench.training.fine_tuning.place import make_place
from pedbench.training.fine_tuning.run import FineTuning

ATTACKERS: dict[str, Callable[[str, AttackerRecipe], Attacker]] = {
    "completion": completion,
    "decoder": decoder,
    "deblur": deblur,
    "context": context,
}
"""Attackers' networks by the names of `pedbench train`, from a start and a recipe."""


def train_attacker(
    kind: str,
    *,
    start: str,
    images: Path,
    annotations: Path | None = None,
    out: Path | None = None,
    recipe: AttackerRecipe,
    at_once: int | None = None,
    cpu: bool = False,
    checkpoint_seconds: float = 600,
    say: Callable[[str], None] = print,
) -> FineTuning:
    """Set up the training of an attacker's network.

    Args:
        kind: One of `ATTACKERS`.
        start: Weights to start from; see the kind's function.
        images: Folder of pictures.
        annotations: COCO's instances file of these pictures; `context` needs it, the others read none.
        out: Folder of the weights, their model card and, in `training/`, the state; by default in pedbench's home,
            where attacks look for networks by their name.
        recipe: The recipe.
        at_once: Pictures that a process computes together; by default its whole share.
        cpu: Whether to compute on the CPU only.
        checkpoint_seconds: Seconds between checkpoints. A signal to stop writes one at once.
        say: Called with lines of progress.

    Raises:
        ValueError: The settings are invalid, or `out` contains another training.
        CheckpointError: The start is missing or of another kind.
        DatasetError: The pictures are unusable or too few.
    """
    attacker = ATTACKERS[kind](start, recipe)
    place = make_place(recipe, images, annotations, at_once=at_once, cpu=cpu, say=say)
    return FineTuning(
        lambda: attacker.course(place),
        place,
        recipe,
        out=out or home() / attacker.name,
        settings={"start": attacker.start},
        checkpoint_seconds=checkpoint_seconds,
    )

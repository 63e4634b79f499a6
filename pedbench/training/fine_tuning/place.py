"""Devices and pictures of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from pedbench.training.core.state import compute_repeatably
from pedbench.training.data.photographs import Photographs
from pedbench.training.fine_tuning.course import FineTuningRecipe


@dataclass(frozen=True, kw_only=True)
class Place:
    """Devices and pictures of a training.

    Attributes:
        accelerator: Devices, processes and number format.
        photographs: The pictures.
        share: Pictures of a step for each process.
        at_once: Pictures that a process computes together.
        say: Called with lines of progress.
    """

    accelerator: Accelerator
    photographs: Photographs
    share: int
    at_once: int
    say: Callable[[str], None]

    def parts(self) -> list[slice]:
        """Return the parts of a step's pictures that this process computes, one after the other."""
        first = self.share * self.accelerator.process_index
        last = first + self.share
        return [slice(start, min(start + self.at_once, last)) for start in range(first, last, self.at_once)]


def make_place(
    recipe: FineTuningRecipe,
    images: Path,
    annotations: Path | None = None,
    *,
    at_once: int | None = None,
    cpu: bool = False,
    say: Callable[[str], None] = print,
) -> Place:
    """Find the devices and the pictures of a training.

    Args:
        recipe: The recipe.
        images: Folder of pictures.
        annotations: COCO's instances file of pictures in it.
        at_once: Pictures that a process computes together; by default its whole share.
        cpu: Whether to compute on the CPU only.
        say: Called with lines of progress, by one of several processes.

    Raises:
        ValueError: The batch cannot be divided among the processes, or is larger than the folder.
        DatasetError: The pictures are unusable or too few.
    """
    if not cpu:
        compute_repeatably()
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    say = say if accelerator.is_main_process else lambda line: None
    photographs = Photographs(images, annotations, held_out=recipe.held_out, seed=recipe.seed, say=say)
    processes, pictures, batch = accelerator.num_processes, len(photographs.ids), recipe.batch
    if batch % processes:
        raise ValueError(f"--batch: expected a multiple of the {processes} processes, found {batch}.")
    if pictures < batch:
        raise ValueError(
            f"found {pictures} pictures to train on besides those held out, fewer than the {batch} of a step; "
            "add pictures, or lower --batch or --held-out."
        )
    share = batch // processes
    return Place(
        accelerator=accelerator, photographs=photographs, share=share, at_once=at_once or share, say=say
    )

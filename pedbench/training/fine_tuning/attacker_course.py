"""The training of an attacker's network on the pictures of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor, nn

from pedbench.models.unallocated import unallocated
from pedbench.training.core.task import PictureCourse
from pedbench.training.data.photograph_pictures import PhotographPictures
from pedbench.training.fine_tuning.course import Description, FineTuningCourse, FineTuningRecipe, Part
from pedbench.training.fine_tuning.memory_estimate import saved_bytes
from pedbench.training.fine_tuning.place import Place


@dataclass(frozen=True, kw_only=True)
class AttackerRecipe(FineTuningRecipe):
    """Recipe for an attacker's network.

    Attributes:
        masks: Visible parts of a completion's training pictures: `ped_sam` for what coalitions of its servers receive,
            `random` for a random quarter of the patches.
    """

    masks: str = "ped_sam"


class AttackerCourse(FineTuningCourse):
    """Trains a network of the mini family's kinds on pictures of a folder.

    Args:
        recipe: The recipe.
        task: Batches, loss and scores of this kind of network; its own sources of pictures are not used.
        source: The pictures.
        place: Devices and processes.
        name: Name of the network.
        score: Name of the score that decides; the mean of all scores if the task has none of that name.
        description: What the model card says.
    """

    def __init__(
        self,
        recipe: AttackerRecipe,
        task: PictureCourse,
        source: PhotographPictures,
        place: Place,
        *,
        name: str,
        score: str,
        description: Description,
    ) -> None:
        self.recipe, self.schedule, self.batch = recipe, recipe.schedule, recipe.batch
        self.name, self.score, self.frozen, self.accelerator = name, score, task.frozen, place.accelerator
        self.network, self.auxiliary, self.file = task.network.train(), task.auxiliary, task.file
        self._task, self._source, self._place, self._description = task, source, place, description
        task.precision = recipe.precision
        if place.accelerator.num_processes > 1:
            task.parallel = place.accelerator.prepare(task.network)

    @property
    def parallel(self) -> Any:
        return self._task.parallel

    def make_batch(self, step: int) -> list[Part]:
        return [
            Part((part.stop - part.start) / self._place.share, self._part(step, part))
            for part in self._place.parts()
        ]

    def _part(self, step: int, part: slice) -> Any:
        pictures = self._source.draw(size=self.batch, seed=self.recipe.seed, step=step, part=part)
        return self._task.batch_of(pictures)

    def losses(self, step: int, content: Any) -> tuple[Tensor, dict[str, float]]:
        return self._task.loss(step, content)

    def picture_bytes(self) -> int:
        picture = self._part(0, slice(0, 1))
        found = saved_bytes(lambda: self._task.loss(0, picture)[0], self.network)
        # Matrices in bfloat16 are saved once for all pictures, and the plan lists them apart.
        matrices = sum(parameter.numel() for parameter in self.network.parameters() if parameter.ndim > 1)
        return max(0, found - 2 * matrices) if self.recipe.precision == "bf16" else found

    def fresh(self) -> nn.Module:
        with unallocated():
            return self._task.fresh()

    def averaged(self, average: dict[str, Tensor]) -> nn.Module:
        network = self.fresh()
        network.load_state_dict(average, assign=True)
        return network.eval().requires_grad_(False).to(self.accelerator.device)

    def scores(self, network: nn.Module) -> dict[str, float]:
        """Return the mean of each score over the held-out pictures, which the processes share."""
        rows: list[tuple[str, int, float]] = []
        with torch.inference_mode():
            for place in range(
                self.accelerator.process_index, len(self._source), self.accelerator.num_processes
            ):
                found = self._task.examine(network, self._source.unaltered(place, place + 1))
                rows += [(name, place, values[0]) for name, values in found.items()]
        values: dict[str, list[float]] = {}
        # Sorted, as the sum of floats depends on the order, and the order on the number of processes.
        for name, _, value in sorted(gather_object(rows)):
            values.setdefault(name, []).append(value)
        means = {name: float(np.mean(each)) for name, each in values.items()}
        return means if self.score in means else {self.score: float(np.mean([*means.values()])), **means}

    def save(self, network: nn.Module, path: Path) -> None:
        self._task.save(network, path)

    def describe(self) -> Description:
        return self._description


def attacker_course(
    kind: Callable[..., PictureCourse],
    task_recipe: Any,
    recipe: AttackerRecipe,
    place: Place,
    *,
    source: PhotographPictures,
    weights: Path,
    name: str,
    score: str,
    describe: Callable[[PictureCourse], Description],
) -> AttackerCourse:
    """Set up the training of a kind of network.

    Args:
        kind: Class of the task; takes what `PictureCourse` takes.
        task_recipe: Its recipe.
        recipe: The recipe of this training.
        place: Devices and processes.
        source: The pictures.
        weights: What the task's `prepare` starts from.
        name: Name of the network.
        score: Name of the score that decides.
        describe: Makes the description from the task.
    """
    torch.manual_seed(recipe.seed)
    device = str(place.accelerator.device)
    task = kind(task_recipe, name, training=source, validation=source, weights=weights, device=device)
    return AttackerCourse(recipe, task, source, place, name=name, score=score, description=describe(task))


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """An attacker's network to train.

    Attributes:
        name: Name of the network.
        start: Digest of the weights that the training starts from; "" for none.
        course: Makes its course on devices and pictures.
    """

    name: str
    start: str
    course: Callable[[Place], FineTuningCourse]

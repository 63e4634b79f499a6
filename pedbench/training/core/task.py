"""What the training loop needs to know of one network: its batches, its loss, how it is examined and kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pedbench.training.core.loop import Schedule
from pedbench.training.data.packing import PackedScenes


@dataclass(frozen=True, kw_only=True)
class TrainingScenes:
    """Scenes of the split `train` that a network is trained on.

    Attributes:
        seed: Seed of the scenes; other seeds give other scenes.
        count: Number of scenes.
    """

    seed: int
    count: int


class Course(ABC):
    """The training of one network.

    Attributes:
        recipe: A dataclass that says how it is trained; kept in the manifest.
        schedule: Steps and learning rate.
        network: What is trained and shipped.
        auxiliary: What is trained with it and thrown away.
        batch: Pictures a step.
        file: Where in the folder of weights its weights go.
    """

    recipe: Any
    schedule: Schedule
    network: nn.Module
    auxiliary: nn.Module
    batch: int
    file: str

    @abstractmethod
    def make_batch(self, step: int) -> Any:
        """The batch of one step, a function of the step alone: resuming needs no reader's state."""

    @abstractmethod
    def loss(self, step: int, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, and values to log."""

    @abstractmethod
    def fresh(self) -> nn.Module:
        """A network like the one in training, for its averaged weights."""

    @abstractmethod
    def scores(self, network: nn.Module) -> dict[str, float]:
        """How well a network does on validation scenes."""

    @abstractmethod
    def save(self, network: nn.Module, path: Path) -> None:
        """Write a network's weights."""


class SceneCourse(Course):
    """The training of one network of the mini family on scenes.

    Attributes:
        path: Where its weights go, with `{name}` for the name.

    Args:
        recipe: How.
        name: Of the weights.
        training: Scenes to train on.
        validation: Scenes to examine on.
        weights: Folder of the weights that it starts from, reads or imitates.
        device: Where to train.
    """

    path = "{name}.safetensors"

    def __init__(
        self,
        recipe: Any,
        name: str,
        *,
        training: PackedScenes,
        validation: PackedScenes,
        weights: Path,
        device: str,
    ) -> None:
        self.recipe, self.schedule, self.batch = recipe, recipe.schedule, recipe.batch
        self.training, self.validation, self.device = training, validation, device
        self.file = self.path.format(name=name)
        self.network = self.fresh().to(device)
        self.auxiliary = nn.Module()
        self.prepare(weights)

    def prepare(self, weights: Path) -> None:
        """Set up what else the training needs."""


def prefetched(make: Callable[[int], Any], first: int, last: int) -> Iterator[tuple[int, Any]]:
    """Batches of the steps first..last-1, the next one made while the present one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make, first)
        for step in range(first, last):
            batch = waiting.result()
            if step + 1 < last:
                waiting = pool.submit(make, step + 1)
            yield step, batch

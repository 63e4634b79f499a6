"""Interface of a network's training: its batches, its loss, its examination and its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from pedbench.training.core.loop import Schedule
from pedbench.training.data.packing import PackedScenes
from pedbench.training.data.pictures import Pictures


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


class PictureSource(Protocol):
    """Pictures to train on, and pictures to validate on, which `len` counts."""

    def __len__(self) -> int: ...

    def draw(self, *, size: int, seed: int, step: int) -> Pictures:
        """Return the pictures of one step, with random mirroring and light."""

    def unaltered(self, first: int, last: int) -> Pictures:
        """Return validation pictures from one index to another, as they are."""


Source = TypeVar("Source", default=PackedScenes)


class SceneCourse(Course, Generic[Source]):
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
        training: Source,
        validation: Source,
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


class PictureCourse(SceneCourse[PictureSource]):
    """The training of a network on whole pictures, of scenes or of another source.

    Attributes:
        precision: `bf16` for forward passes in bfloat16, `no` for float32.
        parallel: The network, or the wrapper through which several processes train it.
    """

    validated = 8
    """Pictures that are validated together."""

    precision = "bf16"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parallel: Any = self.network

    @property
    def frozen(self) -> dict[str, nn.Module]:
        """Networks that are needed besides the trained one, by what they are."""
        return {}

    @abstractmethod
    def batch_of(self, pictures: Pictures) -> Any:
        """Return the batch of some pictures; random choices come from their generator."""

    @abstractmethod
    def examine(self, network: nn.Module, pictures: Pictures) -> dict[str, list[float]]:
        """Return the scores of each of some pictures by name."""

    def make_batch(self, step: int) -> Any:
        return self.batch_of(self.training.draw(size=self.batch, seed=self.recipe.seed, step=step))

    def scores(self, network: nn.Module) -> dict[str, float]:
        """Return the mean of each score over the validation pictures."""
        found: dict[str, list[float]] = {}
        with torch.inference_mode():
            for first in range(0, len(self.validation), self.validated):
                last = min(first + self.validated, len(self.validation))
                for name, values in self.examine(network, self.validation.unaltered(first, last)).items():
                    found.setdefault(name, []).extend(values)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of a forward pass in training."""
        kind = self.device.split(":")[0]
        return torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bf16")


def prefetched(make: Callable[[int], Any], first: int, last: int) -> Iterator[tuple[int, Any]]:
    """Batches of the steps first..last-1, the next one made while the present one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make, first)
        for step in range(first, last):
            batch = waiting.result()
            if step + 1 < last:
                waiting = pool.submit(make, step + 1)
            yield step, batch

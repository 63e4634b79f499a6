"""The training of one network on the pictures of a folder."""

from __future__ import annotations

import math
from abc import abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

from accelerate import Accelerator
from huggingface_hub import ModelCardData
from torch import Tensor, nn

from pedbench.training.core.loop import Schedule
from pedbench.training.core.task import Course


@dataclass(frozen=True, kw_only=True)
class FineTuningRecipe:
    """Recipe for a training on a folder of pictures.

    Attributes:
        schedule: Steps and learning rate.
        batch: Pictures per step, of all processes together.
        held_out: Number of validation pictures.
        every: Steps between validations.
        patience: Validations without a better score after which the training stops.
        precision: Type of forward passes, `bf16`, or `no` for float32.
        seed: Seed of the held-out pictures and of the batches.
    """

    schedule: Schedule
    batch: int = 8
    held_out: int = 64
    every: int = 500
    patience: int = 5
    precision: str = "bf16"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Description:
    """Text of a network's model card besides its numbers.

    Attributes:
        metadata: Metadata of the Hugging Face hub.
        about: What the network is and how it was trained.
        facts: Rows of the card's table: the weights that the training started from, and its loss.
        scores: What the scores mean.
        use: How pedbench uses the weights.
    """

    metadata: ModelCardData
    about: str
    facts: dict[str, str]
    scores: str
    use: str


class Part(NamedTuple):
    """Pictures of a step that are computed together.

    Attributes:
        share: Their share of the pictures of this process.
        content: The pictures as the course needs them.
    """

    share: float
    content: Any


class FineTuningCourse(Course):
    """The training of one network on pictures of a folder, by one or several processes.

    Attributes:
        name: Name of the network.
        score: Name of the score that decides which weights are kept; higher is better.
        accelerator: Devices, processes and number format.
        frozen: Networks that are needed besides the trained one, by what they are.
    """

    name: str
    score: str
    accelerator: Accelerator
    frozen: dict[str, nn.Module]

    @property
    @abstractmethod
    def parallel(self) -> Any:
        """The trained module, or the wrapper that adds up the gradients of several processes."""

    @abstractmethod
    def make_batch(self, step: int) -> list[Part]:
        """Return this process's share of a step's pictures."""

    @abstractmethod
    def losses(self, step: int, content: Any) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of one part, and values to log."""

    @abstractmethod
    def picture_bytes(self) -> int:
        """Return the bytes that one picture's forward pass saves for its backward pass."""

    @abstractmethod
    def averaged(self, average: dict[str, Tensor]) -> Any:
        """Return a network in evaluation mode that shares the memory of the averaged weights."""

    @abstractmethod
    def describe(self) -> Description:
        """Return what the model card says of the network."""

    def loss(self, step: int, batch: list[Part]) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of the batch's last part; the gradients of the parts before it are already accumulated."""
        totals: dict[str, float] = {}
        for part in batch:
            last = part is batch[-1]
            with nullcontext() if last else self.accelerator.no_sync(self.parallel):
                loss, values = self.losses(step, part.content)
                loss = loss * part.share
                if not last:
                    loss.backward()  # type: ignore[no-untyped-call]
            for name, value in values.items():
                totals[name] = totals.get(name, 0.0) + value * part.share
        if not math.isfinite(sum(totals.values())):
            raise FloatingPointError(f"the loss at step {step} is {totals}; lower the learning rate")
        return loss, totals

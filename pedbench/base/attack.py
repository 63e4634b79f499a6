"""Attacks, and what they must reach before their numbers count."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pedbench.base.plugin import Plugin
from pedbench.types import Picture, Reading, View

Need = Literal["nothing", "pixels", "degraded", "tokens", "metadata"]

Family = Literal[
    "",
    "floor",
    "completion",
    "masked autoencoder",
    "inpainting",
    "sharpening",
    "inversion",
    "re-assembly",
    "averaging",
    "accumulation",
    "metadata",
]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The score that an attack must reach on a leaking defense before its low scores elsewhere count.

    It is the mean over pictures and coalitions, under the rule and the configuration of the defense that give most.

    Attributes:
        defense: Name of the defense on which it is reached.
        params: Those of its parameters that matter.
        metric: As values name it, e.g. "PSNR" or "advantage[RMSE]"; larger is better for the attacker.
        over: Name of an attack whose values are subtracted, picture by picture; "" for none.
    """

    defense: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metric: str
    region: Literal["hidden", "whole"]
    least: float
    over: str = ""


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """A service on another machine that fills in the hidden part of pictures for an attack.

    The run itself asks it, from the view alone, and only if the suite has `allow_upload = true`: the attack's process
    has no network. It finds the painted pictures in `View.paintings`.

    Attributes:
        provider: Name of a form in `pedbench.adversary.hosted.painter.PROVIDERS`.
        url: Address of the service; "" for the provider's own.
        model: Name of the service's model; "" for its default.
        prompt: Caption of the pictures, if the attacker has one.
        samples: Pictures that are painted of each view; each is one request that may cost.
        side: Longest side in pixels of the picture that is sent.

    Raises:
        ValueError: A value is out of range.
    """

    provider: str
    url: str = ""
    model: str = ""
    prompt: str = ""
    samples: int = 1
    side: int = 1024

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= 8:
            raise ValueError(f"samples: expected 1 to 8, found {self.samples}")
        if not 64 <= self.side <= 2048:
            raise ValueError(f"side: expected 64 to 2048 pixels, found {self.side}")
        if len(self.prompt) > 1000:
            raise ValueError(f"prompt: expected at most 1000 characters, found {len(self.prompt)}")


Proof = Calibration
"""The name of `Calibration` in plugins of the first versions."""


@dataclass(kw_only=True)
class Attack(Plugin, ABC):
    """Turns what a coalition received into a guess of the whole frame.

    Attributes:
        needs: What the attack can use of a view: one or more kinds of content.
            A view that holds none of them is not attacked; the cell is recorded as skipped.
        floor: Whether this is an attack without a learned prior, against which the others are measured.
        stochastic: Whether guesses depend on chance. Suites can ask for several of each picture; floors are drawn once.
        completes: Whether the attack fills in what the canvas of a view lacks. Suites can then give it views whose
            canvas holds what a `ReadOutAttack` made of tokens or of degraded pixels.
        family: The kind of attack, as in the table of required families in docs/reference/protocol.md; "" for what
            the other declarations suggest.
        calibration: The figure that it must reach; floors need none. Without one, and until it is reached, its
            numbers are flagged.
    """

    needs: ClassVar[frozenset[Need]]
    floor: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    completes: ClassVar[bool] = False
    family: ClassVar[Family] = ""
    calibration: ClassVar[Calibration | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Plugins of the first versions call it `proof`.
        if "proof" in vars(cls):
            cls.calibration = vars(cls)["proof"]

    @property
    def requests(self) -> int:
        """Number of requests of the same scene that the attack asks for."""
        return 1

    @property
    def knowledge(self) -> str:
        """Data and training steps that it learned from, besides the prior, in words; empty for nothing.

        For networks that the package ships, `pedbench.models.manifest.trained_on` says it.
        """
        return ""

    @property
    def hosted(self) -> Hosted | None:
        """The service that paints pictures for it; None for attacks that need none."""
        return None

    def applies(self, description: Mapping[str, Any]) -> str | None:
        """Return why the attack can say nothing about a defense; None if it can.

        Its cells are then skipped with this reason instead of counting as the defense's merit. Decoys are attacked in
        any case.

        Args:
            description: The defense's public description, as in `View.description`.
        """
        return None

    @abstractmethod
    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        """Guess the frame: (H, W, 3) float32 in [0, 1] of `view.frame_size`, every pixel filled."""

    def batches(self, device: str) -> bool:
        """Return whether `reconstruct_many` takes less time there than one view after the other."""
        return type(self).reconstruct_many is not Attack.reconstruct_many

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        """Guess several frames; may be overridden to batch, and must equal one-by-one guesses."""
        return [self.reconstruct(view, rng) for view, rng in zip(views, rngs, strict=True)]


@dataclass(kw_only=True)
class ReadOutAttack(Attack, ABC):
    """Reads tokens or degraded pixels back into pixels, which attacks that complete pictures can start from."""

    @abstractmethod
    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        """Return the pixels of `view.frame_size` that the payload gives, and how sure they are."""

    def read_out_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Reading]:
        """Read several views; may be overridden to batch, and must equal one-by-one readings."""
        return [self.read_out(view, rng) for view, rng in zip(views, rngs, strict=True)]

    def batches(self, device: str) -> bool:
        return type(self).read_out_many is not ReadOutAttack.read_out_many

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return self.read_out(view, rng).filled(view.prior.mean_colour)

    def reconstruct_many(self, views: Sequence[View], rngs: Sequence[np.random.Generator]) -> list[Picture]:
        readings = self.read_out_many(views, rngs)
        return [read.filled(view.prior.mean_colour) for read, view in zip(readings, views, strict=True)]

"""Views: all that a coalition of servers holds about a picture, as attacks get it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.types.messages import MessageFacts
from pedbench.types.samples import Mask, Picture


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A received rectangle of pixels, at the place in the frame where the sender says it belongs.

    Attributes:
        picture: (h, w, 3) float32 in [0, 1]; never reaches beyond the frame.
        top: First row in the frame.
        left: First column in the frame.
        server: Index of the server that received it.
        request: Which of the k requests it came with.
    """

    picture: Picture
    top: int
    left: int
    server: int
    request: int = 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the frame."""
        height, width = self.picture.shape[:2]
        return np.s_[self.top : self.top + height, self.left : self.left + width]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Received tokens of the encoder, which are not pixels and have to be attacked.

    Attributes:
        values: (n, C) float32, one row a token.
        positions: (n, 2) int, row and column of each token in the encoder's grid, as the message states them.
            They may lie beyond the frame: deeper ones have mixed with what is inside, and a position embedding
            shows there, too.
        depth: How many blocks they went through; 0 right after the patch embedding, with or without position
            embedding.
    """

    values: npt.NDArray[np.float32]
    positions: npt.NDArray[np.int64]
    depth: int
    server: int
    request: int = 0


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Knowledge that an attacker has of pictures in general: from the training split alone.

    Attributes:
        mean_colour: (3,) float32, mean over the training pictures' pixels.
        pictures: Training pictures, each (h, w, 3).
    """

    mean_colour: npt.NDArray[np.float32]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Pixels that a read-out attack made of tokens or of degraded pixels.

    Attributes:
        picture: (H, W, 3) float32 in [0, 1], of the frame.
        confidence: (H, W) float32 in [0, 1], the share of each pixel's variance that is expected to be explained: 1
            for exact pixels, 0 where nothing was read.
    """

    picture: Picture
    confidence: npt.NDArray[np.float32]

    def filled(self, colour: npt.ArrayLike) -> Picture:
        """Give what was not read the mean colour of what was; `colour`, (3,), if nothing was."""
        read = self.confidence > 0
        if read.any():
            colour = self.picture[read].mean(axis=0, dtype=np.float64)
        return np.where(read[..., None], self.picture, colour).astype(np.float32)


MOST_COALITIONS = 50
"""Coalitions of a size up to which all are evaluated; where more exist, at least as many are."""

SURE = 0.25
"""Confidence from which a read-out pixel is left as it is by an attack that completes pictures.

Noisy tokens of little confidence still tell more of their place than a completion without them.
"""


@dataclass(frozen=True, kw_only=True)
class View:
    """All that a coalition of servers holds about one picture, and what is public. Never the truth.

    Attributes:
        frame_size: (H, W) of the frame; the model's square canvas makes it public.
        patches: Pixels received as they are in the frame.
        degraded: Pixels received in a degraded form (blurred, pixelated, noisy).
        tokens: Encoder tokens received.
        messages: Traffic metadata of everything received, payload-less.
        description: The public description of the defense: name, parameters, family, weights.
        prior: The attacker's knowledge of pictures in general.
        moves: Whether the camera moves from request to request. The frame is that of the first.
        reading: What a read-out attack made of the payload, in views of attacks that complete it.
        paintings: Samples of the frame by the service of a hosted attack, each (H, W, 3) in [0, 1] with the canvas
            pasted; none where the canvas is empty or whole.
    """

    frame_size: tuple[int, int]
    patches: tuple[Patch, ...] = ()
    degraded: tuple[Patch, ...] = ()
    tokens: tuple[Tokens, ...] = ()
    messages: tuple[MessageFacts, ...] = ()
    description: Mapping[str, Any] = field(default_factory=dict)
    prior: Prior
    moves: bool = False
    reading: Reading | None = None
    paintings: tuple[Picture, ...] = ()

    def canvas(self) -> tuple[Picture, Mask]:
        """Paste the exactly received pixels of `in_frame`: (H, W, 3), black elsewhere, and the coverage, (H, W).

        In a view with a reading, its pixels from `SURE` on count as covered wherever nothing exact was received.
        """
        canvas, coverage = _paste(self.in_frame(self.patches), self.frame_size)
        if self.reading is None:
            return canvas, coverage
        read = (self.reading.confidence >= SURE) & ~coverage
        return np.where(read[..., None], self.reading.picture, canvas), coverage | read

    def degraded_canvas(self) -> tuple[Picture, Mask]:
        """Paste the pixels received in a degraded form; see `canvas`."""
        return _paste(self.in_frame(self.degraded), self.frame_size)

    def in_frame(self, patches: Iterable[Patch]) -> list[Patch]:
        """Select the patches with known places in the frame: all, or if the camera moves the first request's."""
        return [patch for patch in patches if not self.moves or patch.request == 0]

    def blind(self) -> View:
        """Return the view of a coalition that received nothing."""
        return View(**{name: getattr(self, name) for name in ("frame_size", "description", "prior", "moves")})


def _paste(patches: Iterable[Patch], frame_size: tuple[int, int]) -> tuple[Picture, Mask]:
    canvas = np.zeros((*frame_size, 3), np.float32)
    coverage = np.zeros(frame_size, np.bool_)
    for patch in patches:
        canvas[patch.slices] = patch.picture
        coverage[patch.slices] = True
    return canvas, coverage

"""Re-identification: does what was received, or guessed, pick its picture out of a fixed gallery?

A guess that no metric of similarity calls good can still tell which picture it was. Pictures are compared on small
copies, where a view counts with the cells that it holds in full, or by the features that a network finds in them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pedbench.pictures.frame import resize_channels
from pedbench.types import Mask, Picture, View

SIDE = 80
"""Longest side in pixels of the copies that are compared."""

_COVERED = 1 - 1e-4
"""Share of a cell from which it counts as held in full."""


class Found(NamedTuple):
    """Expected result of a search for a picture, ties broken by chance.

    Attributes:
        first: Chance that it comes first.
        reciprocal: Expected reciprocal of its rank.
    """

    first: float
    reciprocal: float


Embed = Callable[[Picture], npt.NDArray[np.float32]]
"""The features (D,) of a picture (H, W, 3), a vector of length 1."""


@dataclass(frozen=True, kw_only=True)
class Gallery(ABC):
    """Known pictures, among which one is searched for.

    Attributes:
        ids: Of the pictures, in their order.
    """

    ids: tuple[str, ...]

    def find_view(self, id: str, view: View) -> Found | None:
        """Search for the picture of which a coalition holds pixels, exact or degraded.

        Returns:
            None if it holds nothing to search with.
        """
        canvas, seen = view.canvas()
        degraded, held = view.degraded_canvas()
        distances = self._distances(np.where(seen[..., None], canvas, degraded), seen | held)
        return None if distances is None else ranked(distances, self.ids.index(id))

    def find_guess(self, id: str, guess: Picture) -> Found:
        """Search for the picture that a guess (H, W, 3) is of."""
        distances = self._distances(guess, np.ones(guess.shape[:2], np.bool_))
        assert distances is not None
        return ranked(distances, self.ids.index(id))

    def names(self) -> tuple[str, str]:
        """Name the two numbers, with the gallery's size, which tells what chance is."""
        return f"rank-1 of {len(self.ids)}", f"reciprocal rank of {len(self.ids)}"

    @abstractmethod
    def _distances(self, picture: Picture, known: Mask) -> npt.NDArray[np.float64] | None:
        """Return the distances from the known part of a picture to each of the gallery; None if too little is known."""


@dataclass(frozen=True, kw_only=True)
class Copies(Gallery):
    """Small copies, compared cell by cell where a cell is known in full.

    Attributes:
        copies: (h, w, 3) each, the longest side `SIDE` px.
    """

    copies: tuple[Picture, ...]
    _stacks: dict[tuple[int, int], npt.NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def _distances(self, picture: Picture, known: Mask) -> npt.NDArray[np.float64] | None:
        size = _small(picture.shape[:2])
        cells = _shrink(known[..., None].astype(np.float32), size)[..., 0] >= _COVERED
        if not cells.any():
            return None
        differences = self._at(size)[:, cells] - _shrink(picture, size)[cells]
        found: npt.NDArray[np.float64] = np.square(differences, dtype=np.float64).mean(axis=(1, 2))
        return found

    def _at(self, size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """All copies, (M, h, w, 3), at the size of one that is compared with them."""
        if size not in self._stacks:
            self._stacks[size] = np.stack([_shrink(copy, size) for copy in self.copies])
        return self._stacks[size]


@dataclass(frozen=True, kw_only=True)
class Embeddings(Gallery):
    """Features of pictures, compared by the angle between them; what is not known has the mean colour of what is.

    Attributes:
        vectors: (M, D), each of length 1.
        embed: Finds those of a picture.
    """

    vectors: npt.NDArray[np.float32]
    embed: Embed

    def _distances(self, picture: Picture, known: Mask) -> npt.NDArray[np.float64] | None:
        if not known.any():
            return None
        filled = picture.copy()
        filled[~known] = picture[known].mean(axis=0, dtype=np.float64)
        return 1 - self.vectors.astype(np.float64) @ self.embed(filled)


def make_gallery(pictures: Iterable[tuple[str, Picture]], embed: Embed | None = None) -> Gallery:
    """Keep what pictures are compared by: small copies, or their features.

    Args:
        pictures: Id and frame (H, W, 3) of each.
        embed: Finds the features; small copies are kept without it.
    """
    if embed is None:
        kept = [(id, _shrink(picture, _small(picture.shape[:2]))) for id, picture in pictures]
        return Copies(ids=tuple(id for id, _ in kept), copies=tuple(copy for _, copy in kept))
    found = [(id, embed(picture)) for id, picture in pictures]
    return Embeddings(
        ids=tuple(id for id, _ in found), vectors=np.stack([vector for _, vector in found]), embed=embed
    )


def ranked(distances: Sequence[float] | npt.NDArray[np.float64], target: int) -> Found:
    """The rank of one distance among all, smallest first."""
    own = distances[target]
    nearer = int(np.sum(np.asarray(distances) < own))
    equal = int(np.sum(np.asarray(distances) == own))
    ranks = nearer + np.arange(1, equal + 1)
    return Found(first=float(np.mean(ranks == 1)), reciprocal=float(np.mean(1 / ranks)))


def chance(count: int) -> Found:
    """Return what a guess at random finds in a gallery of `count`: 1 / M, and the M-th harmonic number over M."""
    return ranked(np.zeros(count), 0)


def _small(size: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrink(picture: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Means over the cells of a grid of (height, width), channel by channel."""
    return resize_channels(picture, size, Image.Resampling.BOX)

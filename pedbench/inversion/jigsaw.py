"""Which tile of a picture belongs where: a jigsaw puzzle of rectangular pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from pedbench.types import Picture

Scores = npt.NDArray[np.float64]

_MISFIT = 1e4
_ALONE = 1e3
"""Keeps places without a neighbour for the end of the growth, but before those of another size."""
_ALONG = 3
"""Pixels along a border that are compared as one: edges cross it at an angle, and noise averages out."""
_STARTS = 10
"""Of the greedy solutions so many, the best, are refined."""
_STALLED = 8
"""Rounds without a gain after which a refinement ends."""

RIGHT, LEFT, BELOW, ABOVE = range(4)
_OPPOSITE = (LEFT, RIGHT, ABOVE, BELOW)


class Place(NamedTuple):
    """A rectangle of a frame, in pixels or tokens."""

    top: int
    left: int
    height: int
    width: int


def assemble(tiles: Sequence[Picture], places: Sequence[Place], rng: np.random.Generator) -> list[int]:
    """Find places for tiles such that neighbours continue each other.

    Two tiles are as compatible as the pixels along their common border are similar, relative to what is usual
    for either. From every tile at every place a solution is grown greedily. The best ones are refined: of
    places no two of which touch, all tiles are re-assigned at once, which is a linear assignment.

    Args:
        tiles: (h, w, 3) each.
        places: As many; some of them touch, or nothing can be found out.
        rng: Draws which places are re-assigned together.

    Returns:
        For each tile the index of its place.

    Raises:
        ValueError: The tiles' sizes are not those of the places.

    Source: the greedy placement is that of Pomeranz, Shemesh and Ben-Shahar, A Fully Automated Greedy Square
        Jigsaw Puzzle Solver, 2011.
    """
    sizes, room = sorted(tile.shape[:2] for tile in tiles), sorted(place[2:] for place in places)
    if sizes != room:
        raise ValueError(f"expected tiles of the places' sizes {room}, found {sizes}")
    puzzle = _Puzzle(tiles, places)
    starts = zip(*np.nonzero(puzzle.misfit == 0), strict=True)
    grown = {tuple(puzzle.grow(tile, place).tolist()) for tile, place in starts}
    best = sorted(grown, key=lambda held: (puzzle.cost(np.array(held)), held))[:_STARTS]
    refined = [puzzle.refine(np.array(held), rng) for held in best]
    return [int(place) for place in np.argsort(min(refined, key=puzzle.cost))]


def _compatibility(tiles: Sequence[Picture]) -> Scores:
    """How ill tile j looks to the right of tile i, (n, n): logarithm of the difference over the usual one."""
    count = len(tiles)
    differences = np.full((count, count), np.nan)
    for i, left in enumerate(tiles):
        for j, right in enumerate(tiles):
            if i != j and left.shape[0] == right.shape[0]:
                step = ndimage.uniform_filter1d(left[:, -1] - right[:, 0], _ALONG, axis=0)
                # A flat border must not count as infinitely compatible.
                differences[i, j] = np.square(step).mean(dtype=np.float64) + 1e-6
    logarithms = np.log(differences)
    usual = np.zeros((2, count))
    for axis in (0, 1):
        known = ~np.isnan(logarithms).all(axis=axis)
        lines = logarithms[:, known] if axis == 0 else logarithms[known].T
        usual[axis, known] = np.nanmedian(lines, axis=0)
    scores: Scores = np.nan_to_num(logarithms - (usual[0][None, :] + usual[1][:, None]) / 2, nan=_MISFIT)
    return scores


class _Puzzle:
    """Costs of solutions; a solution says for each place which tile it holds."""

    def __init__(self, tiles: Sequence[Picture], places: Sequence[Place]) -> None:
        self.count = len(tiles)
        rightwards = _compatibility(tiles)
        downwards = _compatibility([tile.transpose(1, 0, 2) for tile in tiles])
        # next_to[d][i, j]: tile j lies on side d of tile i.
        self.next_to = np.stack([rightwards, rightwards.T, downwards, downwards.T])
        fitting = [[tile.shape[:2] == place[2:] for place in places] for tile in tiles]
        self.misfit = np.where(fitting, 0, _MISFIT)
        corners = {place[:2]: index for index, place in enumerate(places)}
        self.neighbours = np.full((self.count, 4), -1)
        for index, place in enumerate(places):
            corner = {
                RIGHT: (place.top, place.left + place.width),
                BELOW: (place.top + place.height, place.left),
            }
            for side, where in corner.items():
                if where in corners:
                    self.neighbours[index, side] = corners[where]
                    self.neighbours[corners[where], _OPPOSITE[side]] = index

    def cost(self, held: npt.NDArray[np.int64]) -> float:
        """The sum over all common borders."""
        total = self.misfit[held, np.arange(self.count)].sum()
        for side in (RIGHT, BELOW):
            beside = self.neighbours[:, side]
            total += self.next_to[side][held[beside >= 0], held[beside[beside >= 0]]].sum()
        return float(total)

    def grow(self, tile: int, place: int) -> npt.NDArray[np.int64]:
        """Start with one tile at one place and add, next to what is there, always what goes best with it."""
        held = np.full(self.count, -1)
        costs, borders = self.misfit.copy(), np.zeros(self.count)
        free = np.ones(self.count, np.bool_)
        for _ in range(self.count):
            held[place], free[tile] = tile, False
            for side, beside in enumerate(self.neighbours[place]):
                if beside >= 0:
                    costs[:, beside] += self.next_to[_OPPOSITE[side]][:, tile]
                    borders[beside] += 1
            means = costs / np.maximum(borders, 1) + np.where(borders > 0, 0, _ALONE)
            means[~free] = means[:, held >= 0] = np.inf
            tile, place = (int(index) for index in np.unravel_index(means.argmin(), means.shape))
        return held

    def refine(self, held: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Re-assign the tiles of random independent places until nothing is gained any more."""
        held, best, stalled = held.copy(), self.cost(held), 0
        while stalled < _STALLED:
            chosen = self._independent(rng)
            tiles = held[chosen]
            costs = self.misfit[np.ix_(tiles, chosen)]
            for column, place in enumerate(chosen):
                for side, beside in enumerate(self.neighbours[place]):
                    if beside >= 0:
                        costs[:, column] += self.next_to[side][tiles, held[beside]]
            rows, columns = linear_sum_assignment(costs)
            held[chosen[columns]] = tiles[rows]
            cost = self.cost(held)
            stalled = 0 if cost < best - 1e-9 else stalled + 1
            best = min(best, cost)
        return held

    def _independent(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Places no two of which touch, as many as fit."""
        chosen: list[int] = []
        blocked: set[int] = set()
        for place in rng.permutation(self.count).tolist():
            if place not in blocked:
                chosen.append(place)
                blocked.update(self.neighbours[place].tolist())
        return np.array(chosen)

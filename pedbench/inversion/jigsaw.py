"""Jigsaw solver: finds the places of a picture's rectangular tiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from pedbench.types import Picture

Scores = npt.NDArray[np.float64]

_MISFIT = 1e4
_ALONE = 1e3
"""Penalty of places without a neighbour: filled last, but before those of another size."""
_ALONG = 3
"""Pixels along a border that are averaged: edges cross it at an angle, and noise averages out."""
_STARTS = 10
"""Number of greedy solutions, the best ones, that are refined."""
_STALLED = 8
"""Rounds without a gain after which refinement ends."""

RIGHT, LEFT, BELOW, ABOVE = range(4)
_OPPOSITE = (LEFT, RIGHT, ABOVE, BELOW)


class Place(NamedTuple):
    """A rectangle of a frame, in pixels or tokens."""

    top: int
    left: int
    height: int
    width: int


class Order(NamedTuple):
    """Places found for some pieces of a frame.

    Attributes:
        places: Index of each piece's place.
        probability: Probability of each of them, as far as the solver can tell.
    """

    places: list[int]
    probability: list[float]


def assemble(tiles: Sequence[Picture], places: Sequence[Place], rng: np.random.Generator) -> Order:
    """Find places for tiles such that neighbours continue each other.

    The compatibility of two tiles is the similarity of the pixels along their common border, relative to what is
    usual for either. A solution is grown greedily from every tile at every place. The best solutions are refined:
    all tiles of places that do not touch are re-assigned at once, which is a linear assignment.

    The log probability of a tile's place is minus the cost of the best solution that has it there, among the refined
    ones and the best one with any two tiles exchanged.

    Args:
        tiles: (h, w, 3) each.
        places: As many places; without places that touch, the order cannot be found.
        rng: Chooses the places that are re-assigned together.

    Returns:
        Each tile's place.

    Raises:
        ValueError: The tiles' sizes are not those of the places.

    Source: Pomeranz, Shemesh and Ben-Shahar, A Fully Automated Greedy Square Jigsaw Puzzle Solver, 2011 (greedy
        placement).
    """
    sizes, room = sorted(tile.shape[:2] for tile in tiles), sorted(place[2:] for place in places)
    if sizes != room:
        raise ValueError(f"expected tiles of the places' sizes {room}, found {sizes}")
    puzzle = _Puzzle(tiles, places)
    starts = zip(*np.nonzero(puzzle.misfit == 0), strict=True)
    grown = {tuple(puzzle.grow(tile, place).tolist()) for tile, place in starts}
    best = sorted(grown, key=lambda solution: (puzzle.cost(np.array(solution)), solution))[:_STARTS]
    refined = [puzzle.refine(np.array(solution), rng) for solution in best]
    found = min(refined, key=puzzle.cost)
    order = np.argsort(found)
    probability = puzzle.probability([*refined, *_exchanges(found)])[np.arange(len(tiles)), order]
    return Order(order.tolist(), probability.tolist())


def _exchanges(solution: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for one, other in combinations(range(len(solution)), 2):
        exchanged = solution.copy()
        exchanged[[one, other]] = solution[[other, one]]
        yield exchanged


def _compatibility(tiles: Sequence[Picture]) -> Scores:
    """Return the cost (n, n) of tile j right of tile i: log of their difference relative to the usual one."""
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
    """Costs of solutions; a solution is the index of the tile at each place."""

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
            for side, corner_of_next in corner.items():
                if corner_of_next in corners:
                    self.neighbours[index, side] = corners[corner_of_next]
                    self.neighbours[corners[corner_of_next], _OPPOSITE[side]] = index

    def cost(self, solution: npt.NDArray[np.int64]) -> float:
        """Return the total cost of all common borders."""
        total = self.misfit[solution, np.arange(self.count)].sum()
        for side in (RIGHT, BELOW):
            neighbour = self.neighbours[:, side]
            total += self.next_to[side][solution[neighbour >= 0], solution[neighbour[neighbour >= 0]]].sum()
        return float(total)

    def grow(self, tile: int, place: int) -> npt.NDArray[np.int64]:
        """Grow a solution from one tile at one place by always adding the best match next to it."""
        solution = np.full(self.count, -1)
        costs, borders = self.misfit.copy(), np.zeros(self.count)
        free = np.ones(self.count, np.bool_)
        for _ in range(self.count):
            solution[place], free[tile] = tile, False
            for side, neighbour in enumerate(self.neighbours[place]):
                if neighbour >= 0:
                    costs[:, neighbour] += self.next_to[_OPPOSITE[side]][:, tile]
                    borders[neighbour] += 1
            means = costs / np.maximum(borders, 1) + np.where(borders > 0, 0, _ALONE)
            means[~free] = means[:, solution >= 0] = np.inf
            tile, place = (int(index) for index in np.unravel_index(means.argmin(), means.shape))
        return solution

    def refine(self, solution: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Re-assign the tiles of random independent places until the cost stops falling."""
        solution, best, stalled = solution.copy(), self.cost(solution), 0
        while stalled < _STALLED:
            chosen = self._independent(rng)
            tiles = solution[chosen]
            costs = self.misfit[np.ix_(tiles, chosen)]
            for column, place in enumerate(chosen):
                for side, neighbour in enumerate(self.neighbours[place]):
                    if neighbour >= 0:
                        costs[:, column] += self.next_to[side][tiles, solution[neighbour]]
            rows, columns = linear_sum_assignment(costs)
            solution[chosen[columns]] = tiles[rows]
            cost = self.cost(solution)
            stalled = 0 if cost < best - 1e-9 else stalled + 1
            best = min(best, cost)
        return solution

    def probability(self, solutions: Iterable[npt.NDArray[np.int64]]) -> Scores:
        """Return the probability (tiles, places) of each tile's places, given the possible solutions."""
        costs, places = np.full((self.count, self.count), np.inf), np.arange(self.count)
        for solution in solutions:
            costs[solution, places] = np.minimum(costs[solution, places], self.cost(solution))
        probability: Scores = softmax(-costs, axis=1)
        return probability

    def _independent(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return a random maximal set of places that do not touch each other."""
        chosen: list[int] = []
        blocked: set[int] = set()
        for place in rng.permutation(self.count).tolist():
            if place not in blocked:
                chosen.append(place)
                blocked.update(self.neighbours[place].tolist())
        return np.array(chosen)

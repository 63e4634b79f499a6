"""Jigsaw solver: finds the places and orientations of a picture's rectangular tiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from pedbench.inversion.border_costs import MISFIT, Scores, border_costs
from pedbench.pictures.blocks import orient
from pedbench.types import Picture

_ALONE = 1e3
"""Penalty of places without a neighbour: filled last, but before those of another size."""
_STARTS = 10
"""Number of greedy solutions, the best ones, that are refined."""
_EFFORT = 5e8
"""Scores of a tile at a place that all greedy solutions together may compare; they are at least `_STARTS`."""
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
        orientations: Orientation, as `orient` takes it, that each piece needs at its place.
    """

    places: list[int]
    probability: list[float]
    orientations: list[int]


def assemble(
    tiles: Sequence[Picture],
    places: Sequence[Place],
    rng: np.random.Generator,
    orientations: Sequence[int] = (0,),
) -> Order:
    """Find places and orientations for tiles such that neighbours continue each other.

    The compatibility of two tiles is the similarity of the pixels along their common border, relative to what is
    usual for either. A solution is grown greedily from every tile at every place, or from a random selection
    of these if they are many. The best solutions are refined: all tiles of places that do not touch are re-assigned at
    once, which is a linear assignment.

    The log probability of a tile's place is minus the cost of the best solution that has it there, among the refined
    ones and the best one with any two tiles exchanged or any tile oriented anew.

    Args:
        tiles: (h, w, 3) each.
        places: As many places; without places that touch, the order cannot be found.
        rng: Chooses the starts and the places that are re-assigned together.
        orientations: Orientations that a tile may need. Several leave open how the frame as a whole is oriented.

    Returns:
        Each tile's place and orientation.

    Raises:
        ValueError: The tiles' sizes are not those of the places.

    Source: Pomeranz, Shemesh and Ben-Shahar, A Fully Automated Greedy Square Jigsaw Puzzle Solver, 2011 (greedy
        placement).
    """
    sizes, room = sorted(tile.shape[:2] for tile in tiles), sorted(place[2:] for place in places)
    if sizes != room:
        raise ValueError(f"expected tiles of the places' sizes {room}, found {sizes}")
    turned = [orient(tile, orientation) for tile in tiles for orientation in orientations]
    puzzle = _Puzzle(turned, places)
    starts = np.argwhere(puzzle.misfit == 0)
    most = max(_STARTS, int(_EFFORT / (puzzle.misfit.size * len(places))))
    if len(starts) > most:
        starts = rng.choice(starts, most, replace=False)
    grown = {tuple(puzzle.shift(puzzle.grow(*start)).tolist()) for start in starts.tolist()}
    best = sorted(grown, key=lambda solution: (puzzle.cost(np.array(solution)), solution))[:_STARTS]
    refined = [puzzle.refine(np.array(solution), rng) for solution in best]
    found = min(refined, key=puzzle.cost)
    probability = puzzle.probability([*refined, *puzzle.variations(found)])
    order = np.argsort(found)
    return Order(
        places=order.tolist(),
        probability=probability[found, np.arange(len(places))][order].tolist(),
        orientations=[orientations[index] for index in found[order] % len(orientations)],
    )


class _Puzzle:
    """Costs of solutions; a solution is the index of the tile at each place.

    Each piece comes as several tiles in a row, one for each orientation, of which a solution has one.
    """

    def __init__(self, tiles: Sequence[Picture], places: Sequence[Place]) -> None:
        self.count, self.turns = len(places), len(tiles) // len(places)
        self.piece = np.arange(len(tiles)) // self.turns
        own = self.piece[:, None] == self.piece
        rightwards = border_costs(tiles, own)
        downwards = border_costs([tile.transpose(1, 0, 2) for tile in tiles], own)
        # next_to[d][i, j]: tile j lies on side d of tile i.
        self.next_to = np.stack([rightwards, rightwards.T, downwards, downwards.T])
        fitting = [[tile.shape[:2] == place[2:] for place in places] for tile in tiles]
        self.misfit = np.where(fitting, 0, MISFIT)
        self.grid = tuple(len({place[axis] for place in places}) for axis in (0, 1))
        self.in_reading_order = np.array(sorted(range(self.count), key=lambda index: places[index][:2]))
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
        return float(self.costs(solution[None])[0])

    def costs(self, solutions: npt.NDArray[np.int64]) -> Scores:
        """Return the total costs (n,) of solutions (n, places)."""
        total: Scores = self.misfit[solutions, np.arange(self.count)].sum(axis=1, dtype=np.float64)
        for side in (RIGHT, BELOW):
            neighbour = self.neighbours[:, side]
            pairs = solutions[:, neighbour >= 0], solutions[:, neighbour[neighbour >= 0]]
            total += self.next_to[side][pairs].sum(axis=1)
        return total

    def shift(self, solution: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the best of a solution's cyclic shifts by rows and columns, if the places are a whole grid.

        A solution that began at a wrong place continues at the opposite border of the frame.
        """
        rows, columns = self.grid
        if rows * columns != self.count:
            return solution
        shifts = np.stack([solution] * self.count)
        grid = solution[self.in_reading_order].reshape(rows, columns)
        for index, (row, column) in enumerate(np.ndindex(rows, columns)):
            shifts[index, self.in_reading_order] = np.roll(grid, (row, column), (0, 1)).ravel()
        best: npt.NDArray[np.int64] = shifts[self.costs(shifts).argmin()]
        return best

    def grow(self, tile: int, place: int) -> npt.NDArray[np.int64]:
        """Grow a solution from one tile at one place by always adding the best match next to it."""
        solution = np.full(self.count, -1)
        costs, borders = self.misfit.copy(), np.zeros(self.count)
        free = np.ones(len(self.piece), np.bool_)
        for _ in range(self.count):
            solution[place], free[self.piece == self.piece[tile]] = tile, False
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
            tiles = np.flatnonzero(np.isin(self.piece, self.piece[solution[chosen]]))
            costs = self.misfit[np.ix_(tiles, chosen)]
            for column, place in enumerate(chosen):
                for side, neighbour in enumerate(self.neighbours[place]):
                    if neighbour >= 0:
                        costs[:, column] += self.next_to[side][tiles, solution[neighbour]]
            by_piece = costs.reshape(len(chosen), self.turns, -1)
            rows, columns = linear_sum_assignment(by_piece.min(axis=1))
            solution[chosen[columns]] = tiles[rows * self.turns + by_piece[rows, :, columns].argmin(axis=1)]
            cost = self.cost(solution)
            stalled = 0 if cost < best - 1e-9 else stalled + 1
            best = min(best, cost)
        return solution

    def variations(self, solution: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
        """Yield a solution with any two tiles exchanged, and with any tile in another orientation."""
        for one, other in combinations(range(self.count), 2):
            exchanged = solution.copy()
            exchanged[[one, other]] = solution[[other, one]]
            yield exchanged
        for place, tile in enumerate(solution.tolist()):
            for other in np.flatnonzero(self.piece == self.piece[tile]).tolist():
                turned = solution.copy()
                turned[place] = other
                yield turned

    def probability(self, solutions: Iterable[npt.NDArray[np.int64]]) -> Scores:
        """Return the probability (tiles, places) that a piece lies as this tile at a place, given the solutions."""
        costs = np.full((len(self.piece), self.count), np.inf)
        for solution in solutions:
            costs[solution, np.arange(self.count)] = np.minimum(
                costs[solution, np.arange(self.count)], self.cost(solution)
            )
        by_piece = softmax(-costs.reshape(self.count, -1), axis=1)
        probability: Scores = by_piece.reshape(costs.shape)
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

"""The coalitions whose views are evaluated: every one where they are few, else a search for the worst.

A coalition is a tuple of ascending server indices. No choice depends on an index: servers are ordered by digests of
what they received, so renumbering them changes no number.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

from pedbench.offload.operations.observation import Observation
from pedbench.types import MOST_COALITIONS, Picture

Coalition = tuple[int, ...]
"""Ascending indices of servers."""


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """Content that each server received of one picture, for the choice of coalitions.

    Attributes:
        covered: (servers, H, W) bool, the pixels that each server's content belongs to; from `footprints`.
        digests: A digest per server of the picture and of what the server received of it; "" if it received nothing.
    """

    covered: npt.NDArray[np.bool_]
    digests: tuple[str, ...]

    @property
    def active(self) -> list[int]:
        """Servers that received anything, ordered by digest; the others are members of no coalition."""
        received = [server for server, digest in enumerate(self.digests) if digest]
        return sorted(received, key=lambda server: (self.digests[server], server))


def holdings(observations: Sequence[Observation], truth: Picture, covered: npt.NDArray[np.bool_]) -> Holdings:
    """Return the digests and footprints of what the servers received of a picture.

    Digests are of the places of the content, which another number of threads, codec or split into messages leaves
    alone, and of the content itself only where servers share their places.

    Args:
        truth: (H, W, 3), the frame.
        covered: From `footprints`.
    """
    picture = hashlib.sha256(np.ascontiguousarray(truth).tobytes()).hexdigest()
    by_server = [
        [each for each in observations if each.message.server == server] for server in range(len(covered))
    ]
    digests = [_digest(picture, map(_places, of_server)) if of_server else "" for of_server in by_server]
    distinct = tuple(
        _digest(digest, map(_content, of_server)) if digest and digests.count(digest) > 1 else digest
        for digest, of_server in zip(digests, by_server, strict=True)
    )
    return Holdings(covered=covered, digests=distinct)


def _digest(first: str, parts: Iterable[Iterable[str]]) -> str:
    return hashlib.sha256(" ".join([first, *sorted(chain.from_iterable(parts))]).encode()).hexdigest()


def _places(observation: Observation) -> Iterator[str]:
    for patch in observation.patches:
        yield f"{patch.top},{patch.left},{patch.picture.shape}"
    for tokens in observation.tokens:
        yield from map(str, tokens.positions.tolist())


def _content(observation: Observation) -> Iterator[str]:
    for array in (
        *(patch.picture for patch in observation.patches),
        *(tokens.values for tokens in observation.tokens),
    ):
        yield hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def search(contents: Holdings, truth: Picture, c: int, most: int = MOST_COALITIONS) -> tuple[Coalition, ...]:
    """Return the coalitions of c servers that are evaluated for a picture.

    They are all coalitions where `most` or fewer exist, and in any case every single server. Otherwise they are at
    least `most`: prefixes of permutations of the servers, the coalition grown by content share, and the one grown by
    damage, which is what the pixels in its footprint take from the error of a one-colour guess. Each coalition that
    is evaluated at a smaller size has a superset among them. A `most` below `MOST_COALITIONS` is a cap: the coalitions
    that do most damage remain.

    Args:
        contents: What the servers hold.
        truth: (H, W, 3), the frame; damage is measured with it, so a search gives a bound and no attack.
        c: Servers in a coalition; those that received nothing are left out, so it may have fewer.

    Raises:
        ValueError: c or `most` is below 1.
    """
    if c < 1 or most < 1:
        raise ValueError(f"expected at least one coalition of at least one server, found c={c}, most={most}")
    active = contents.active
    if not active:
        return ((0,),) if len(contents.digests) else ((),)
    c = min(c, len(active))
    if math.comb(len(active), c) <= max(most, MOST_COALITIONS) or c == 1:
        found = [_ascending(subset) for subset in combinations(active, c)]
    else:
        found = [_ascending(order[:c]) for order in _permutations(contents, max(most, MOST_COALITIONS))]
        found.append(_ascending(_grown_by_share(contents, c)))
        found.append(_ascending(_grown_by_damage(contents, truth, c)))
    different = list(dict.fromkeys(found))
    if most < MOST_COALITIONS and len(different) > most:
        errors = _Errors(contents, truth)
        different = sorted(different, key=errors.left_by)[:most]
    return tuple(different)


def _ascending(servers: Iterable[int]) -> Coalition:
    return tuple(sorted(servers))


def _permutations(contents: Holdings, least: int) -> list[list[int]]:
    """Return orders of the active servers, the same whatever size is asked for.

    They begin with every coalition of the largest size up to which all are evaluated, so each of those is contained
    in a prefix. The rest follows by a hash. There are so many that each size of which not all are evaluated has at
    least `least` different prefixes.
    """
    active = contents.active
    full = [size for size in range(1, len(active) + 1) if math.comb(len(active), size) <= least]
    searched = [size for size in range(1, len(active) + 1) if size not in full]
    start_size = max([size for size in full if size < min(searched)], default=1)
    starts = list(combinations(active, start_size))
    orders: list[list[int]] = []
    prefixes: dict[int, set[Coalition]] = {size: set() for size in searched}
    while any(len(found) < least for found in prefixes.values()):
        for start in starts:
            seed = f"{len(orders)} {' '.join(sorted(contents.digests[server] for server in start))}"
            others = [server for server in active if server not in start]
            order = [*start, *sorted(others, key=lambda server: _hash(seed, contents.digests[server]))]
            orders.append(order)
            for size, found in prefixes.items():
                found.add(_ascending(order[:size]))
    return orders


def _hash(seed: str, digest: str) -> str:
    return hashlib.sha256(f"{seed} {digest}".encode()).hexdigest()


def _grown_by_share(contents: Holdings, c: int) -> list[int]:
    """Grow a coalition from the largest server, always by the one that adds most pixels."""
    chosen: list[int] = []
    pixels = np.zeros(contents.covered.shape[1:], np.bool_)
    while len(chosen) < c:
        left = [server for server in contents.active if server not in chosen]
        best = max(left, key=lambda server: int(np.count_nonzero(contents.covered[server] & ~pixels)))
        chosen.append(best)
        pixels |= contents.covered[best]
    return chosen


def _grown_by_damage(contents: Holdings, truth: Picture, c: int) -> list[int]:
    """Grow a coalition by the server whose pixels reduce the error of a one-colour guess most."""
    errors = _Errors(contents, truth)
    chosen: list[int] = []
    while len(chosen) < c:
        left = [server for server in contents.active if server not in chosen]
        chosen.append(min(left, key=lambda server: errors.left_by([*chosen, server])))
    return chosen


class _Errors:
    """Squared error that one colour, the mean of a coalition's pixels, leaves in the pixels that it lacks."""

    def __init__(self, contents: Holdings, truth: Picture) -> None:
        # Pixels are summed up by which servers have them, of which there are few patterns.
        flat = contents.covered.reshape(len(contents.covered), -1)
        patterns, places = np.unique(np.packbits(flat, axis=0), axis=1, return_inverse=True)
        self._patterns = np.unpackbits(patterns, axis=0, count=len(flat)).astype(np.bool_)
        colours = truth.reshape(-1, 3).astype(np.float64)
        places, count = places.reshape(-1), patterns.shape[1]
        self._counts = np.bincount(places, minlength=count).astype(np.float64)
        self._sums = np.stack([np.bincount(places, colours[:, k], count) for k in range(3)], axis=1)
        self._squares = np.bincount(places, np.square(colours).sum(axis=1), count)

    def left_by(self, coalition: Collection[int]) -> float:
        known = self._patterns[list(coalition)].any(axis=0)
        pixels, hidden = self._counts[known].sum(), ~known
        colour = self._sums[known].sum(axis=0) / pixels if pixels else self._sums.sum(0) / self._counts.sum()
        return float(
            self._squares[hidden].sum()
            - 2 * self._sums[hidden].sum(axis=0) @ colour
            + self._counts[hidden].sum() * colour @ colour
        )

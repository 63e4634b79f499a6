"""The coalitions whose views are evaluated: every one where they are few, else a search for the worst.

A coalition is a tuple of ascending server indices. No choice depends on an index: servers are ordered by digests of
what they received, so renumbering them changes no number.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, count, islice

import numpy as np
import numpy.typing as npt

from pedbench.adversary.damage import KINDS, Damages, damage_maps
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


WIDTH = 24
"""Coalitions of each size that are taken for each kind of damage."""


def search(
    contents: Holdings, truth: Picture, colour: npt.ArrayLike, c: int, most: int = MOST_COALITIONS
) -> tuple[Coalition, ...]:
    """Return the coalitions of c servers that are evaluated for a picture.

    They are all coalitions where `most` or fewer exist, and in any case every single server. Otherwise they are at
    least `most`: prefixes of permutations of the servers, each of which begins one, and for each kind of damage the
    `WIDTH` that do most among those grown by one server. Each coalition that is evaluated at a smaller size has a
    superset among them. A `most` below `MOST_COALITIONS` is a cap: those that take most squared error remain.

    Args:
        contents: What the servers hold.
        truth: (H, W, 3), the frame; damage is measured with it, so a search gives a bound and no attack.
        colour: (3,), the public mean colour, to whose guess damage relates.
        c: Servers in a coalition; those that received nothing are left out, so it may have fewer.
        most: See above.

    Raises:
        ValueError: c or `most` is below 1.
    """
    if c < 1 or most < 1:
        raise ValueError(f"expected at least one coalition of at least one server, found c={c}, most={most}")
    active = contents.active
    if not active:
        return ((0,),) if len(contents.digests) else ((),)
    c, least = min(c, len(active)), max(most, MOST_COALITIONS)
    ranking = _Ranking(contents, truth, colour)
    found: list[Coalition] = [(server,) for server in range(len(active))]
    # Where all are evaluated, nothing has to be grown.
    for size in [c] if math.comb(len(active), c) <= least else range(2, c + 1):
        full = size == 1 or math.comb(len(active), size) <= least
        found = [*combinations(range(len(active)), size)] if full else ranking.grow(found, least)
    if most < MOST_COALITIONS and len(found) > most:
        found = ranking.first(found, most)
    return tuple(tuple(sorted(active[place] for place in coalition)) for coalition in found)


class _Ranking:
    """Order of coalitions by damage; servers are numbered by the digests of what they received.

    Args:
        contents: What the servers hold.
        truth: (H, W, 3), the frame.
        colour: (3,), to whose guess damage relates.
    """

    def __init__(self, contents: Holdings, truth: Picture, colour: npt.ArrayLike) -> None:
        active = contents.active
        self._servers = len(active)
        self._digests = [contents.digests[server] for server in active]
        self._covered, self._truth, self._colour = contents.covered[active], truth, colour

    @cached_property
    def _damages(self) -> Damages:
        return Damages(self._covered, damage_maps(self._truth, self._colour))

    def first(self, coalitions: Sequence[Coalition], count: int, kind: int = 0) -> list[Coalition]:
        """Return those that do most damage of a kind, most first."""
        members = np.zeros((len(coalitions), self._servers), np.bool_)
        for row, coalition in enumerate(coalitions):
            members[row, list(coalition)] = True
        order = np.argsort(-self._damages(members)[:, kind], kind="stable")
        return [coalitions[place] for place in order[:count].tolist()]

    def grow(self, smaller: Sequence[Coalition], least: int) -> list[Coalition]:
        """Return coalitions of one server more: at least so many, with a superset of each smaller one."""
        size = len(smaller[0]) + 1
        orders = self._permutations()
        found = dict.fromkeys(tuple(sorted(order[:size])) for order in islice(orders, self._servers))
        for kind in range(KINDS):
            grown = [more for each in self.first(smaller, WIDTH, kind) for more in self._extended(each)]
            found.update(dict.fromkeys(self.first([*dict.fromkeys(grown)], WIDTH, kind)))
        for coalition in smaller:
            if not any({*coalition} < {*other} for other in found):
                found[self.first(self._extended(coalition), 1)[0]] = None
        # Servers that hold the same have the same place in every order, so orders may not suffice.
        some = (tuple(sorted(order[:size])) for order in islice(orders, 4 * least))
        for coalition in chain(some, combinations(range(self._servers), size)):
            if len(found) >= least:
                break
            found[coalition] = None
        return [*found]

    def _extended(self, coalition: Coalition) -> list[Coalition]:
        return [
            tuple(sorted((*coalition, other))) for other in range(self._servers) if other not in coalition
        ]

    def _permutations(self) -> Iterator[list[int]]:
        """Yield orders of the servers by a hash, each server in turn in front."""
        for number in count():
            start = number % self._servers
            others = [server for server in range(self._servers) if server != start]
            seed = f"{number} {self._digests[start]}"
            yield [start, *sorted(others, key=lambda server: _hash(seed, self._digests[server]))]


def _hash(seed: str, digest: str) -> str:
    return hashlib.sha256(f"{seed} {digest}".encode()).hexdigest()

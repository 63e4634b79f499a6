"""Which server gets which window. Every policy sees the windows' places alone, never their content."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np

from pedbench.pictures.windows import WindowGrid
from pedbench.types import Assignment, Window

Policy = Callable[[Sequence[Window], int, np.random.Generator], Assignment]


def assign(policy: str, windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    """Deal windows to servers.

    Args:
        policy: A name in `POLICIES`.
        windows: Row and column of each window, all different.
        servers: How many servers there are.
        rng: The request's generator; only `random` draws from it.

    Returns:
        Per server its windows in reading order; a server that gets none is absent.

    Raises:
        ValueError: Unknown policy, no servers, or a window that stands twice.
    """
    if policy not in POLICIES:
        near = difflib.get_close_matches(policy, POLICIES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown assignment {policy!r}{hint} Known: {', '.join(POLICIES)}")
    if servers < 1:
        raise ValueError(f"windows cannot be assigned to {servers} servers")
    if len(set(windows)) != len(windows):
        raise ValueError(f"a window stands twice in {sorted(windows)}")
    return POLICIES[policy](sorted(windows), servers, rng)


def check_sharing(servers: int, policy: str) -> None:
    """Refuse what no windows could be dealt by.

    Raises:
        ValueError: No servers, or an unknown policy.
    """
    if servers < 1:
        raise ValueError(f"windows need at least one server, found {servers}")
    if policy not in POLICIES:
        raise ValueError(f"assignment is {policy!r}; known: {', '.join(POLICIES)}")


def largest_share(policy: str, servers: int, frame: tuple[int, int], grid: WindowGrid) -> float:
    """The share of a frame's pixels that a policy gives to one server at most.

    It depends on nothing but the frame's size.

    Args:
        policy: A name in `POLICIES`.
        servers: How many servers there are.
        frame: Height and width of the frame.
        grid: The windows' grid.
    """
    windows = grid.active(frame)
    areas = {window: grid.tile(window, frame).area for window in windows}
    if policy == "random":
        most = -(-len(windows) // servers)
        pixels = sum(sorted(areas.values())[-most:])
    else:
        parts = assign(policy, windows, servers, np.random.default_rng(0)).values()
        pixels = max(sum(areas[window] for window in part) for part in parts)
    return pixels / (frame[0] * frame[1])


def shuffle_alike(
    windows: Sequence[Window], frame: tuple[int, int], grid: WindowGrid, rng: np.random.Generator
) -> tuple[Window, ...]:
    """Put windows in a random order, such that how many tokens of each lie in a frame stays as it was.

    Args:
        windows: The windows of one server.
        frame: Height and width of the frame.
        grid: The windows' grid.
        rng: Draws the order.
    """
    alike: dict[tuple[int, int], list[Window]] = {}
    for window in windows:
        tile = grid.tile(window, frame)
        alike.setdefault((-(-tile.height // grid.patch), -(-tile.width // grid.patch)), []).append(window)
    drawn = {
        window: group[index]
        for group in alike.values()
        for window, index in zip(group, rng.permutation(len(group)), strict=True)
    }
    return tuple(drawn[window] for window in windows)


def _round_robin(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    return _gather(windows, (index % servers for index in range(len(windows))))


def _contiguous(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    parts = np.array_split(np.arange(len(windows)), servers)
    return _gather(windows, (server for server, part in enumerate(parts) for _ in part))


def _random(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    """Shares as even as `round_robin`'s; which windows, and who gets one more, is drawn."""
    seats = rng.permutation(servers)[np.arange(len(windows)) % servers]
    return _gather(windows, rng.permutation(seats).tolist())


def _dispersed(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    """Server = (stride * row + column) mod servers, with the stride that parts neighbours best.

    From four servers on, no two of the eight neighbours share a server (a stride of 2 does it). With fewer,
    some must: diagonal neighbours are let together rather than those with a common side. Among equally good
    strides the one with the most even shares is taken.
    """

    def deal(stride: int) -> Assignment:
        return _gather(windows, ((stride * row + column) % servers for row, column in windows))

    def cost(assignment: Assignment) -> tuple[int, int, int]:
        sides, corners = neighbours(assignment)
        return sides, corners, max(map(len, assignment.values()), default=0)

    return min(map(deal, range(max(servers, 3))), key=cost)


POLICIES: dict[str, Policy] = {
    "round_robin": _round_robin,
    "contiguous": _contiguous,
    "dispersed": _dispersed,
    "random": _random,
}


def neighbours(assignment: Assignment) -> tuple[int, int]:
    """Count the pairs of windows on one server that touch with a side, and those that touch with a corner."""
    distances = Counter(
        (abs(first[0] - second[0]), abs(first[1] - second[1]))
        for windows in assignment.values()
        for first, second in combinations(windows, 2)
    )
    return distances[0, 1] + distances[1, 0], distances[1, 1]


def _gather(windows: Sequence[Window], owners: Iterable[int]) -> Assignment:
    assignment: dict[int, list[Window]] = {}
    for window, owner in zip(windows, owners, strict=True):
        assignment.setdefault(owner, []).append(window)
    return {server: tuple(assignment[server]) for server in sorted(assignment)}

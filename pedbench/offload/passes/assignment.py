"""Assignment of windows to servers. Policies see the windows' positions, never their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import combinations

import numpy as np

from pedbench.errors import suggestion
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Assignment, Window

Policy = Callable[[Sequence[Window], int, np.random.Generator], Assignment]


def assign(
    policy: str,
    windows: Sequence[Window],
    servers: int,
    rng: np.random.Generator,
    home: Collection[Window] = (),
) -> Assignment:
    """Assign windows to servers.

    Args:
        policy: A name in `POLICIES`.
        windows: Row and column of each window, all different.
        rng: The request's generator; only the policy `random` draws from it.
        home: Windows that stay on the edge. They are assigned like the others and then left out, so no server gets a
            window that it would not get otherwise.

    Returns:
        The windows of each server in reading order; servers without windows are absent.

    Raises:
        ValueError: The policy is unknown, there are no servers, or a window occurs twice.
    """
    if policy not in POLICIES:
        raise ValueError(
            f"unknown assignment {policy!r}{suggestion(policy, POLICIES)}. Known: {', '.join(POLICIES)}"
        )
    if servers < 1:
        raise ValueError(f"windows cannot be assigned to {servers} servers")
    if len(set(windows)) != len(windows):
        raise ValueError(f"a window occurs twice in {sorted(windows)}")
    assignment = POLICIES[policy](sorted(windows), servers, rng)
    leaving = {server: tuple(w for w in part if w not in home) for server, part in assignment.items()}
    return {server: part for server, part in leaving.items() if part}


def spread_home(windows: Collection[Window], share: float) -> tuple[Window, ...]:
    """Choose a share of the windows to stay on the edge.

    The choice depends on the windows' positions alone, and is the same for every request: a new choice for each would
    send every window sooner or later. Every fifth window of a row comes first, a knight's move from row to row.

    Args:
        windows: Row and column of each window.
        share: Share in [0, 1] of their number.

    Returns:
        The chosen windows in reading order.
    """
    order = sorted(windows, key=lambda window: ((2 * window[0] + window[1]) % 5, window))
    return tuple(sorted(order[: round(share * len(order))]))


def check_sharing(servers: int, policy: str) -> None:
    """Check a defense's parameters for `assign`.

    Raises:
        ValueError: There are no servers, or the policy is unknown.
    """
    if servers < 1:
        raise ValueError(f"windows need at least one server, found {servers}")
    if policy not in POLICIES:
        raise ValueError(f"assignment is {policy!r}; known: {', '.join(POLICIES)}")


def largest_share(
    policy: str, servers: int, frame: tuple[int, int], grid: WindowGrid, home: Collection[Window] = ()
) -> float:
    """Return the largest share of a frame's pixels that a policy can give to one server.

    Args:
        policy: A name in `POLICIES`.
        frame: Height and width of the frame in pixels.
        home: Windows that stay on the edge.
    """
    windows = grid.active(frame)
    areas = {window: grid.tile(window, frame).area for window in windows if window not in home}
    if policy == "random":
        count = -(-len(windows) // servers)
        pixels = sum(sorted(areas.values())[-count:])
    else:
        parts = assign(policy, windows, servers, np.random.default_rng(0), home).values()
        pixels = max((sum(areas[window] for window in part) for part in parts), default=0)
    return pixels / (frame[0] * frame[1])


def shuffle_alike(
    windows: Sequence[Window], frame: tuple[int, int], grid: WindowGrid, rng: np.random.Generator
) -> tuple[Window, ...]:
    """Permute windows at random among those with the same number of rows and columns of tokens in the frame.

    Args:
        windows: The windows of one server.
        frame: Height and width of the frame in pixels.
    """
    by_size: dict[tuple[int, int], list[Window]] = {}
    for window in windows:
        tile = grid.tile(window, frame)
        by_size.setdefault((-(-tile.height // grid.patch), -(-tile.width // grid.patch)), []).append(window)
    shuffled = {
        window: group[index]
        for group in by_size.values()
        for window, index in zip(group, rng.permutation(len(group)), strict=True)
    }
    return tuple(shuffled[window] for window in windows)


def _round_robin(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    return _gather(windows, (index % servers for index in range(len(windows))))


def _contiguous(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    parts = np.array_split(np.arange(len(windows)), servers)
    return _gather(windows, (server for server, part in enumerate(parts) for _ in part))


def _random(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    """Assign random windows to each server; the numbers of windows differ by at most one, as in `round_robin`."""
    owners = rng.permutation(servers)[np.arange(len(windows)) % servers]
    return _gather(windows, rng.permutation(owners).tolist())


def _dispersed(windows: Sequence[Window], servers: int, rng: np.random.Generator) -> Assignment:
    """Assign a window to server (stride * row + column) mod servers, with the stride that separates neighbours best.

    With four or more servers, no window shares its server with one of its eight neighbours (a stride of 2 achieves
    this). With fewer servers, diagonal neighbours are preferred over those with a common side. Among equally good
    strides, the one with the most even shares is taken.
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

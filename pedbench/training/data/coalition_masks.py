"""What coalitions of `ped_sam`'s servers hold of a picture, drawn at random: the adaptive attacker's masks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pedbench.offload.passes.assignment import POLICIES, assign
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Assignment, Mask, Window

SERVERS = {3: 0.4, 25: 0.2, 2: 0.1, 5: 0.1, 9: 0.1, 13: 0.1}
"""Numbers of servers and how often each is drawn; most often those of the suites."""

NOTHING = 0.03
"""How often nothing is held at all: attacks are also asked for a guess without a view."""

ALONE = 0.7
"""How often a single server is drawn rather than a larger coalition."""


def draw_coalition(frame: tuple[int, int], grid: WindowGrid, rng: np.random.Generator) -> tuple[Window, ...]:
    """The windows that some coalition holds, by some policy and number of servers.

    Args:
        frame: Height and width of the frame.
        grid: The windows' grid.
        rng: Draws everything.
    """
    if rng.random() < NOTHING:
        return ()
    servers = int(rng.choice(list(SERVERS), p=list(SERVERS.values())))
    policy = str(rng.choice(list(POLICIES)))
    windows = grid.active(frame)
    dealt = (
        assign("random", windows, servers, rng) if policy == "random" else _dealt(policy, windows, servers)
    )
    size = 1 if servers == 2 or rng.random() < ALONE else int(rng.integers(2, servers))
    # Whoever holds all has nothing to guess.
    chosen = rng.choice(sorted(dealt), min(size, max(1, len(dealt) - 1)), replace=False)
    return tuple(sorted(window for server in chosen.tolist() for window in dealt[server]))


@lru_cache(maxsize=128)
def _dealt(policy: str, windows: tuple[Window, ...], servers: int) -> Assignment:
    return assign(policy, windows, servers, np.random.default_rng(0))


def held_pixels(windows: tuple[Window, ...], frame: tuple[int, int], grid: WindowGrid) -> Mask:
    """(S, S) the pixels of a frame that some windows hold, on the grid's canvas."""
    mask = np.zeros(grid.canvas, np.bool_)
    for window in windows:
        mask[grid.tile(window, frame).slices] = True
    return mask


def held_tokens(windows: tuple[Window, ...], grid: WindowGrid) -> npt.NDArray[np.bool_]:
    """(h, w) the tokens of some windows."""
    mask = np.zeros(grid.padded, np.bool_)
    for row, column in windows:
        side = grid.window
        mask[row * side : (row + 1) * side, column * side : (column + 1) * side] = True
    return mask[: grid.tokens[0], : grid.tokens[1]]

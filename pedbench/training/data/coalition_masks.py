"""Random masks of the parts of a picture that coalitions of `ped_sam`'s servers receive, for adaptive attackers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pedbench.offload.passes.assignment import POLICIES, assign
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Assignment, Mask, Window

SERVERS = {3: 0.4, 25: 0.2, 2: 0.1, 5: 0.1, 9: 0.1, 13: 0.1}
"""Probability of each number of servers; highest for those of the suites."""

NOTHING = 0.03
"""Probability of an empty mask: attacks also guess without a view."""

ALONE = 0.7
"""Probability of a single server instead of a larger coalition."""


def draw_coalition(frame: tuple[int, int], grid: WindowGrid, rng: np.random.Generator) -> tuple[Window, ...]:
    """Draw a policy, a number of servers and a coalition, and return the coalition's windows.

    Args:
        frame: Height and width of the frame.
        grid: The grid of windows.
        rng: Source of all random choices.
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
    # A coalition of all servers has nothing to guess.
    chosen = rng.choice(sorted(dealt), min(size, max(1, len(dealt) - 1)), replace=False)
    return tuple(sorted(window for server in chosen.tolist() for window in dealt[server]))


@lru_cache(maxsize=128)
def _dealt(policy: str, windows: tuple[Window, ...], servers: int) -> Assignment:
    return assign(policy, windows, servers, np.random.default_rng(0))


def held_pixels(windows: tuple[Window, ...], frame: tuple[int, int], grid: WindowGrid) -> Mask:
    """Return the mask (S, S) of some windows' pixels of a frame, on the grid's canvas."""
    mask = np.zeros(grid.canvas, np.bool_)
    for window in windows:
        mask[grid.tile(window, frame).slices] = True
    return mask


def held_tokens(windows: tuple[Window, ...], grid: WindowGrid) -> npt.NDArray[np.bool_]:
    """Return the mask (h, w) of some windows' tokens."""
    mask = np.zeros(grid.padded, np.bool_)
    for row, column in windows:
        side = grid.window
        mask[row * side : (row + 1) * side, column * side : (column + 1) * side] = True
    return mask[: grid.tokens[0], : grid.tokens[1]]


def held_patches(
    windows: tuple[Window, ...], frame: tuple[int, int], grid: WindowGrid, each: int
) -> npt.NDArray[np.bool_]:
    """Return the mask of the patches of some windows that lie in the frame entirely.

    Args:
        windows: The windows.
        frame: Height and width of the frame in the encoder's pixels.
        grid: The grid of windows.
        each: Patches along a window's side.

    Returns:
        (rows * each, columns * each) bool.
    """
    mask = np.zeros((grid.rows * each, grid.columns * each), np.bool_)
    for row, column in windows:
        mask[row * each : (row + 1) * each, column * each : (column + 1) * each] = True
    # The patch of index i ends at pixel (i + 1) * side / each.
    side = grid.window * grid.patch
    rows, columns = (
        min(length * each // side, count) for length, count in zip(frame, mask.shape, strict=True)
    )
    mask[rows:] = mask[:, columns:] = False
    return mask

"""Views of the servers of `ped_sam` of a frame, for studies without whole passes."""

from __future__ import annotations

import numpy as np

from pedbench.models.sam.architectures import SAM_MINI
from pedbench.offload.passes.assignment import assign
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Patch, Picture, Prior, View


def server_views(
    frame: Picture, servers: int, prior: Prior, grid: WindowGrid = SAM_MINI.grid
) -> dict[int, View]:
    """Return the view of each server: the windows that the assignment `dispersed` gives it.

    Args:
        frame: (H, W, 3) float32 in [0, 1], no larger than the grid's canvas.
        servers: Number of servers.
        prior: Attackers' knowledge of pictures.
        grid: The encoder's windows.
    """
    size = (frame.shape[0], frame.shape[1])
    windows = assign("dispersed", grid.active(size), servers, np.random.default_rng(0))
    views = {}
    for server, part in windows.items():
        tiles = [grid.tile(window, size) for window in part]
        patches = tuple(
            Patch(picture=frame[tile.slices], top=tile.top, left=tile.left, server=server) for tile in tiles
        )
        views[server] = View(frame_size=size, patches=patches, prior=prior)
    return views

"""What the servers of `ped_sam` receive of a frame, as studies without whole passes need it."""

from __future__ import annotations

import numpy as np

from pedbench.models.sam.architectures import SAM_MINI
from pedbench.offload.passes.assignment import assign
from pedbench.types import Patch, Picture, Prior, View


def server_views(frame: Picture, servers: int, prior: Prior) -> dict[int, View]:
    """Return the view of each server: the windows of mini's grid that the assignment `dispersed` gives it.

    Args:
        frame: (H, W, 3) float32 in [0, 1], at most 320 px high and wide.
        servers: Number of servers.
        prior: Attackers' knowledge of pictures.
    """
    size = (frame.shape[0], frame.shape[1])
    windows = assign("dispersed", SAM_MINI.grid.active(size), servers, np.random.default_rng(0))
    views = {}
    for server, part in windows.items():
        tiles = [SAM_MINI.grid.tile(window, size) for window in part]
        patches = tuple(
            Patch(picture=frame[tile.slices], top=tile.top, left=tile.left, server=server) for tile in tiles
        )
        views[server] = View(frame_size=size, patches=patches, prior=prior)
    return views

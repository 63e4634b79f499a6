"""An encoder's tokens of some windows on their grid, for networks that decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch

from pedbench.models.attackers.restoration import RestorationSizes
from pedbench.models.sam.family import described_family, load_network
from pedbench.models.sam.stages import WindowStage, window_grid, window_tiles
from pedbench.types import Mask, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Weights

Grid = tuple[npt.NDArray[np.float32], Mask]
"""(h, w, C) tokens, zero where none is held, and (h, w) which are."""


def network_of(view: View, device: str = "cpu") -> Any:
    """The public network that a view's description names.

    Args:
        view: Its description names the family and the weights.
        device: Where it computes.

    Raises:
        ValueError: The description names no family of networks.
        CheckpointError: Its weights are not there.
    """
    weights = str(view.description.get("params", {}).get("weights", "original"))
    return load_network(described_family(view.description), cast("Weights", weights), device)


def no_tokens(sizes: RestorationSizes) -> Grid:
    """What a network of these sizes gets where nobody holds a token that it knows."""
    side = sizes.token_side
    return np.zeros((side, side, sizes.token_channels), np.float32), np.zeros((side, side), np.bool_)


def received_tokens(view: View, depth: int) -> Grid:
    """The tokens of one depth that a view holds."""
    encoder = network_of(view).image_encoder
    values = np.zeros(tuple(encoder.pos_embed.shape[1:]), np.float32)
    held = np.zeros(values.shape[:2], np.bool_)
    for tokens in view.tokens:
        if tokens.depth == depth:
            rows, columns = tokens.positions.T
            values[rows, columns] = tokens.values
            held[rows, columns] = True
    return values, held


def computed_tokens(view: View) -> Grid:
    """What the window blocks make of the windows that a view holds wholly: servers know it of themselves."""
    network = network_of(view)
    stage, grid = WindowStage(network.image_encoder), window_grid(network.image_encoder)
    canvas, seen = view.canvas()
    pixels = np.rint(canvas * 255).astype(np.uint8)
    windows = [w for w in grid.active(view.frame_size) if seen[grid.tile(w, view.frame_size).slices].all()]
    values = np.zeros(tuple(network.image_encoder.pos_embed.shape[1:]), np.float32)
    held = np.zeros(values.shape[:2], np.bool_)
    if windows:
        crops = [pixels[grid.tile(window, view.frame_size).slices] for window in windows]
        with torch.inference_mode():
            encoded = stage(stage.embed(window_tiles(network, crops)), windows).numpy()
        for (row, column), found in zip(windows, encoded, strict=True):
            height, width = grid.inside((row, column))
            place = np.s_[row * grid.window :, column * grid.window :]
            values[place][:height, :width] = found[:height, :width]
            held[place][:height, :width] = True
    return values, held

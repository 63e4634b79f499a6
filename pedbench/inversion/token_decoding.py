"""Tokens of a view on the encoder's grid, for networks that decode them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch

from pedbench.inversion.token_optimisation import token_grids
from pedbench.models.attackers.restoration import RestorationSizes
from pedbench.models.attackers.split_decoding import DEPTHS, SplitDecoderNetwork
from pedbench.models.sam.family import described_family
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import WindowStage, window_grid, window_tiles
from pedbench.pictures.frame import to_uint8
from pedbench.types import Mask, Picture, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Weights

Grid = tuple[npt.NDArray[np.float32], Mask]
"""Tokens (h, w, C), zero where unknown, and the mask (h, w) of known ones."""


def network_of(view: View, device: str = "cpu") -> Any:
    """Return the public network that a view's description names.

    Args:
        view: View whose description names the family and the weights.
        device: Torch's name of the network's device.

    Raises:
        ValueError: The description names no family of networks.
        CheckpointError: Its weights are missing.
    """
    weights = str(view.description.get("params", {}).get("weights", "original"))
    return load_network(described_family(view.description), cast("Weights", weights), device)


def mixed_depth(view: View) -> int:
    """Return the number of blocks up to the first global one, in the block order of a view's original network."""
    return described_family(view.description).original.architecture.global_blocks[0] + 1


def no_tokens(sizes: RestorationSizes) -> Grid:
    """Return an empty grid for a network of these sizes."""
    side = sizes.token_side
    return np.zeros((side, side, sizes.token_channels), np.float32), np.zeros((side, side), np.bool_)


def received_tokens(view: View, depth: int) -> Grid:
    """Return a view's tokens of one depth."""
    encoder = network_of(view).image_encoder
    values = np.zeros(tuple(encoder.pos_embed.shape[1:]), np.float32)
    known = np.zeros(values.shape[:2], np.bool_)
    for tokens in view.tokens:
        if tokens.depth == depth:
            rows, columns = tokens.positions.T
            values[rows, columns] = tokens.values
            known[rows, columns] = True
    return values, known


def computed_tokens(view: View) -> Grid:
    """Compute the tokens of windows that a view has entirely, as the servers can."""
    network = network_of(view)
    stage, grid = WindowStage(network.image_encoder), window_grid(network.image_encoder)
    canvas, seen = view.canvas()
    pixels = to_uint8(canvas)
    windows = [w for w in grid.active(view.frame_size) if seen[grid.tile(w, view.frame_size).slices].all()]
    values = np.zeros(tuple(network.image_encoder.pos_embed.shape[1:]), np.float32)
    known = np.zeros(values.shape[:2], np.bool_)
    if windows:
        crops = [pixels[grid.tile(window, view.frame_size).slices] for window in windows]
        with torch.inference_mode():
            encoded = stage(stage.embed(window_tiles(network, crops)), windows).numpy()
        for (row, column), window_tokens in zip(windows, encoded, strict=True):
            height, width = grid.inside((row, column))
            place = np.s_[row * grid.window :, column * grid.window :]
            values[place][:height, :width] = window_tokens[:height, :width]
            known[place][:height, :width] = True
    return values, known


RATE = 0.005
"""Initial learning rate of the descent from a decoded picture, a tenth of that from a linear estimate."""

SMOOTH = 0.05
"""Initial weight of the total variation there, which is also the final one: the picture is detailed already."""


def decode_split(
    decoder: SplitDecoderNetwork, network: Any, view: View, corrections: int = 0
) -> Picture | None:
    """Decode the shallowest whole grid of tokens of a view that a decoder knows.

    Args:
        decoder: The decoder, in evaluation mode.
        network: The `segment_anything.modeling.Sam` that made the tokens.
        view: View whose description names that network.
        corrections: Times that the picture is corrected. What the decoder makes of the received tokens and what it
            makes of the picture's own tokens should be equal; their difference is added to the picture.

    Returns:
        (H, W, 3) in [0, 1]; None if no depth of `DEPTHS` has all tokens.
    """
    height, width = view.frame_size
    for depth in DEPTHS:
        if all(tokens.depth != depth for tokens in view.tokens):
            continue
        values, known = received_tokens(view, depth)
        if not known.all():
            continue
        with torch.inference_mode():
            decoded = decoder(torch.from_numpy(values)[None], depth)[0, :, :height, :width]
            guess = decoded.clamp(0, 1)
            for _ in range(corrections):
                tokens = token_grids(network, guess.to(network.pixel_mean.device), {depth})[depth]
                repeated = decoder(tokens.cpu()[None], depth)[0, :, :height, :width]
                guess = (guess + decoded - repeated).clamp(0, 1)
        picture: Picture = guess.permute(1, 2, 0).numpy().copy()
        return picture
    return None

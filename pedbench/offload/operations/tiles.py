"""Pixels and tokens of a frame's windows, computed in the same way by edge, servers and audits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from pedbench.models.sam.stages import GlobalStage, WindowStage, window_grid, window_tiles
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Window

Bytes = npt.NDArray[np.uint8]

_MAX_STRAY_SHARE = 0.01
"""Largest share of levels outside 0..255 for tokens that count as embedded pixels."""

_STAGES: WeakKeyDictionary[Any, tuple[WindowStage, GlobalStage]] = WeakKeyDictionary()


def stages(network: Any) -> tuple[WindowStage, GlobalStage]:
    """Return the window stage and the global stage of a network, which are made once so that their caches last.

    Raises:
        ValueError: The network's window blocks do not precede its global blocks.
    """
    if network not in _STAGES:
        _STAGES[network] = WindowStage(network.image_encoder), GlobalStage(network.image_encoder)
    return _STAGES[network]


def cut_tiles(pixels: Bytes, windows: Sequence[Window], grid: WindowGrid) -> Bytes:
    """Cut windows out of a frame.

    Args:
        pixels: (H, W, 3) uint8 frame.
        windows: Row and column of each window.

    Returns:
        (n, side, side, 3) uint8 tiles, zero beyond the frame.
    """
    side = grid.window * grid.patch
    tiles = np.zeros((len(windows), side, side, 3), np.uint8)
    for tile, window in zip(tiles, windows, strict=True):
        place = grid.tile(window, pixels.shape[:2])
        tile[: place.height, : place.width] = pixels[place.slices]
    return tiles


def crop_tiles(
    tiles: Bytes, windows: Sequence[Window], grid: WindowGrid, frame: tuple[int, int]
) -> list[Bytes]:
    """Return the part of each tile within the frame, (h, w, 3) uint8; the inverse of `cut_tiles`.

    Raises:
        ValueError: A tile is not zero beyond the frame.
    """
    crops = []
    for tile, window in zip(tiles, windows, strict=True):
        place = grid.tile(window, frame)
        crop = tile[: place.height, : place.width]
        if np.count_nonzero(tile) != np.count_nonzero(crop):
            raise ValueError(f"window {window} carries something beyond the frame of {frame} pixels")
        crops.append(crop)
    return crops


def embed_tiles(network: Any, crops: Sequence[Bytes]) -> torch.Tensor:
    """Patch-embed crops of windows into (n, window, window, C) tokens without position embedding.

    Windows are embedded one at a time, so that the result does not depend on the batch: convolutions sum in a
    different order for large batches.
    """
    with torch.inference_mode():
        tiles = window_tiles(network, crops)
        return torch.cat([network.image_encoder.patch_embed(tile[None]) for tile in tiles])


def embed_windows(
    network: Any, pixels: Bytes, windows: Sequence[Window] | None = None
) -> dict[Window, npt.NDArray[np.float32]]:
    """Patch-embed windows of a frame, bit for bit in the same way at every call, so that audits can compare.

    Args:
        pixels: (H, W, 3) uint8 frame.
        windows: Row and column of each window; by default all with content.

    Returns:
        (window, window, C) float32 tokens by window, zero outside the token grid.
    """
    grid = window_grid(network.image_encoder)
    windows = grid.active(pixels.shape[:2]) if windows is None else windows
    crops = [pixels[grid.tile(window, pixels.shape[:2]).slices] for window in windows]
    tokens = embed_tiles(network, crops).float().cpu().numpy()
    for values, window in zip(tokens, windows, strict=True):
        height, width = grid.inside(window)
        values[height:] = 0
        values[:, width:] = 0
    return dict(zip(windows, tokens, strict=True))


def to_dtype(values: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Convert floats to another dtype.

    Raises:
        FloatingPointError: A value is too large for `dtype`, and would become infinite.
    """
    with np.errstate(over="raise"):
        return values.astype(dtype)


def tokens_to_tiles(network: Any, tokens: torch.Tensor) -> Bytes | None:
    """Invert the patch embedding by its pseudo-inverse.

    Args:
        tokens: (n, window, window, C) tokens from `embed_tiles`, possibly rounded.

    Returns:
        (n, side, side, 3) uint8 tiles; None if the embedding has fewer channels than a patch has values, or if more
        than 1 % of the values lie outside the range of pixels. Such tokens are not embedded pixels and can carry more
        than 8-bit tiles show.
    """
    projection = network.image_encoder.patch_embed.proj
    channels, _, patch, _ = projection.weight.shape
    if channels < projection.weight[0].numel():
        return None
    inverse = torch.linalg.pinv(projection.weight.flatten(1).double())
    flat = (tokens.double() - projection.bias.double()) @ inverse.T
    count, window = tokens.shape[:2]
    values = flat.reshape(count, window, window, 3, patch, patch)
    levels = values * network.pixel_std.double() + network.pixel_mean.double()
    # Tokens beyond the token grid are zero.
    levels_in_grid = levels[tokens.any(dim=-1)]
    if ((levels_in_grid < -1) | (levels_in_grid > 256)).double().mean() > _MAX_STRAY_SHARE:
        return None
    pixels = levels.permute(0, 1, 4, 2, 5, 3).reshape(count, window * patch, window * patch, 3)
    tiles: Bytes = pixels.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return tiles

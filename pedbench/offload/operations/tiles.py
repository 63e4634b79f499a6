"""A frame as the pixels and tokens of windows: what edge, servers and auditors must agree on."""

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

_STRAY = 0.01
"""Share of levels out of 0..255 from which tokens are none of pixels."""

_STAGES: WeakKeyDictionary[Any, tuple[WindowStage, GlobalStage]] = WeakKeyDictionary()


def stages(network: Any) -> tuple[WindowStage, GlobalStage]:
    """The two stages of a network, made once, so that what they keep about padding lasts.

    Raises:
        ValueError: The network's block order cannot be split.
    """
    if network not in _STAGES:
        _STAGES[network] = WindowStage(network.image_encoder), GlobalStage(network.image_encoder)
    return _STAGES[network]


def cut_tiles(pixels: Bytes, windows: Sequence[Window], grid: WindowGrid) -> Bytes:
    """Cut windows out of a frame.

    Args:
        pixels: (H, W, 3) frame.
        windows: Row and column of each window.
        grid: The windows' grid.

    Returns:
        (n, side, side, 3) tiles; zero beyond the frame.
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
    """The part of each tile that lies in a frame: the inverse of `cut_tiles`.

    Raises:
        ValueError: Something other than zero lies beyond the frame.
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
    """Patch-embed crops of windows: (n, window, window, C) tokens without position embedding.

    One window at a time, so that the result does not depend on which others come along: convolutions sum up in
    another order for large batches.
    """
    with torch.inference_mode():
        tiles = window_tiles(network, crops)
        return torch.cat([network.image_encoder.patch_embed(tile[None]) for tile in tiles])


def embed_windows(
    network: Any, pixels: Bytes, windows: Sequence[Window] | None = None
) -> dict[Window, npt.NDArray[np.float32]]:
    """Patch-embed windows of a frame, always in the same way, so that the result can be checked.

    Args:
        network: Whose patch embedding is used.
        pixels: (H, W, 3) frame.
        windows: Which; all that hold part of the frame without it.

    Returns:
        Per window its (window, window, C) tokens; zero outside the token grid.
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
    """Convert floats; an overflow raises, because the other side could not tell infinity from a number.

    Raises:
        FloatingPointError: A value is too large for `dtype`.
    """
    with np.errstate(over="raise"):
        return values.astype(dtype)


def tokens_to_tiles(network: Any, tokens: torch.Tensor) -> Bytes | None:
    """Undo the patch embedding by its pseudo-inverse.

    Args:
        network: Whose patch embedding it was.
        tokens: (n, window, window, C) as `embed_tiles` returns them, possibly rounded.

    Returns:
        (n, side, side, 3) tiles; None when the embedding has fewer channels than a patch has values, or when
        these tokens are none of pixels: what is noisy says more than 8 bits would show.
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
    # Zero is what stands beyond the token grid.
    found = levels[tokens.any(dim=-1)]
    if ((found < -1) | (found > 256)).double().mean() > _STRAY:
        return None
    pixels = levels.permute(0, 1, 4, 2, 5, 3).reshape(count, window * patch, window * patch, 3)
    tiles: Bytes = pixels.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return tiles

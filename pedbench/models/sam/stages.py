"""An image encoder in two stages: one on single windows, one on the whole grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.blocks import run_windows
from pedbench.models.sam.reorder import global_blocks
from pedbench.models.sam.window_blocks import add_positions, run_window_blocks
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Window


def window_grid(encoder: Any) -> WindowGrid:
    """Return the grid of an encoder's window blocks."""
    _, height, width, _ = encoder.pos_embed.shape
    window = max(block.window_size for block in encoder.blocks)
    return WindowGrid(tokens=(height, width), window=window, patch=encoder.patch_embed.proj.stride[0])


def first_global_block(encoder: Any) -> int:
    """Return the index of the first global block, where the window stage ends; the depth if there is none.

    Raises:
        ValueError: A window block follows a global one, so no stage can work on single windows.
    """
    depth, blocks = len(encoder.blocks), global_blocks(encoder)
    first = depth - len(blocks)
    if blocks != tuple(range(first, depth)):
        raise ValueError(
            f"blocks {blocks} of {depth} are global, so windows mix before the last window block; "
            "re-order the encoder first (pedbench.models.sam.reorder)"
        )
    return first


def run_blocks(encoder: Any, tokens: Tensor, first: int, last: int) -> Tensor:
    """Run the encoder's blocks `first` to `last`, the latter exclusive.

    Args:
        encoder: The encoder, in any block order.
        tokens: (B, h, w, C) tokens of whole grids, position embedding included.
        first: Index of the first block to run.
        last: Index after the last block to run.

    Returns:
        (B, h, w, C).
    """
    if not 0 <= first <= last <= len(encoder.blocks):
        raise ValueError(f"found blocks {first} to {last} of an encoder that has {len(encoder.blocks)}")
    for block in encoder.blocks[first:last]:
        tokens = block(tokens)
    return tokens


def finish_blocks(encoder: Any, tokens: Tensor, first: int) -> Tensor:
    """Run the encoder's blocks from `first` on, and its neck.

    Args:
        encoder: The encoder, in any block order.
        tokens: (B, h, w, C) output of block `first` - 1; for 0 the patch embedding with position embedding.
        first: Index of the first block to run.

    Returns:
        (B, neck channels, h, w) image embeddings.
    """
    done = run_blocks(encoder, tokens, first, len(encoder.blocks))
    embedding: Tensor = encoder.neck(done.permute(0, 3, 1, 2))
    return embedding


def window_tiles(sam: Any, crops: Iterable[npt.NDArray[Any] | Tensor]) -> Tensor:
    """Normalise the pixels of windows and pad them to whole tiles, as SAM does with the frame.

    Args:
        sam: The network.
        crops: Per window its part of the frame, (h, w, 3), uint8 or float in [0, 1]; smaller than a tile
            if the frame ends within the window.

    Returns:
        (n, 3, side, side), side being the window's side in pixels.
    """
    grid = window_grid(sam.image_encoder)
    side = grid.window * grid.patch
    return torch.cat([preprocess(sam, crop, (side, side)) for crop in crops])


class WindowStage:
    """Patch embedding, position embedding and window blocks, on any subset of windows.

    The results are those of the whole encoder; see `run_window_blocks`.

    Args:
        encoder: An encoder without a window block after a global one. Its weights must not change
            afterwards.

    Raises:
        ValueError: The block order does not allow it.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.grid = window_grid(encoder)
        self.depth = first_global_block(encoder)
        self._padding: dict[Window, Tensor] = {}

    def embed(self, tiles: Tensor) -> Tensor:
        """Patch-embed tiles, without position embedding.

        Args:
            tiles: (n, 3, side, side) normalised pixels from `window_tiles`.

        Returns:
            (n, window, window, C).
        """
        side = self.grid.window * self.grid.patch
        if tiles.ndim != 4 or tuple(tiles.shape[1:]) != (3, side, side):
            raise ValueError(f"expected (n, 3, {side}, {side}) tiles, found {tuple(tiles.shape)}")
        return self.encoder.patch_embed(tiles)  # type: ignore[no-any-return]

    def __call__(self, tokens: Tensor, windows: Sequence[Window]) -> Tensor:
        """Add the position embedding and run the window blocks.

        Args:
            tokens: (n, window, window, C) patch-embedded tokens; padding is ignored.
            windows: Row and column of each of the n windows.

        Returns:
            (n, window, window, C); zero in the padding.
        """
        embedded = add_positions(self.encoder, tokens, windows, self.grid)
        return run_window_blocks(self.encoder, embedded, windows, self.grid, 0, self.depth)

    def assemble(self, encoded: Mapping[Window, Tensor], frame: tuple[int, int]) -> Tensor:
        """Join encoded windows to the grid of the global stage.

        Windows without any pixel of the frame are the same for every picture; missing ones are computed here
        once.

        Args:
            encoded: (window, window, C) per window, as the stage returns them.
            frame: Height and width of the frame in pixels.

        Returns:
            (1, h, w, C).

        Raises:
            ValueError: A window with part of the frame is missing.
        """
        active = self.grid.active(frame)
        lost = [window for window in active if window not in encoded]
        if lost:
            raise ValueError(f"no tokens for windows {lost}, which hold part of the frame of {frame} pixels")
        missing = [window for window in self.grid.windows if window not in {**encoded, **self._padding}]
        if missing:
            self._padding.update(zip(missing, self._encode_padding(missing), strict=True))
        like = encoded[active[0]]
        complete = {**self._padding, **encoded}
        return self.grid.unpartition(torch.stack([complete[window].to(like) for window in self.grid.windows]))

    def _encode_padding(self, windows: Sequence[Window]) -> Tensor:
        # Inference tensors in the cache could not take part in a later backward pass.
        with torch.inference_mode(False), torch.no_grad():
            side = self.grid.window * self.grid.patch
            blank = self.encoder.pos_embed.new_zeros(len(windows), 3, side, side)
            tokens = add_positions(self.encoder, self.embed(blank), windows, self.grid)
            for block in self.encoder.blocks[: self.depth]:
                # An edge may need window blocks for nothing else, so they do not stay on its device.
                tokens = run_windows([block.temporary()], tokens, windows, self.grid)
            return tokens


class GlobalStage:
    """The global blocks and the neck, on the tokens of the whole grid.

    Args:
        encoder: An encoder without a window block after a global one.

    Raises:
        ValueError: The block order does not allow it.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.first = first_global_block(encoder)

    def __call__(self, tokens: Tensor) -> Tensor:
        """Finish the embedding.

        Args:
            tokens: (B, h, w, C) as `WindowStage.assemble` returns them.

        Returns:
            (B, neck channels, h, w).
        """
        tokens = tokens.to(self.encoder.pos_embed.dtype)
        mixed = run_blocks(self.encoder, tokens, self.first, len(self.encoder.blocks))
        return self.encoder.neck(mixed.permute(0, 3, 1, 2))  # type: ignore[no-any-return]

"""Exact fast blocks for `segment_anything`'s image encoder: window blocks compute no padding."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from pedbench.models.sam.attention import FastAttention
from pedbench.models.sam.onednn_linear import linear, linear_gelu
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Window

# Tokens at a time in MLPs and window blocks on a CPU: keeps intermediate values in the cache. Measured on two cores.
_TOKENS = 1024


class FastBlock(nn.Module):
    """A block of `segment_anything`'s encoder: same parameters, same result, less memory and time.

    The reference pads border windows with zeros after the first normalisation, projects the padding like all tokens and
    drops it at the end. Zeros are projected to the bias, so here only real tokens pass through matrix products.

    Args:
        reference: The block to replace; its parameters are shared, not copied.

    Raises:
        ValueError: Its attention has no relative positions.
    """

    def __init__(self, reference: Any) -> None:
        super().__init__()
        self.norm1: nn.Module = reference.norm1
        self.attn = FastAttention(reference.attn)
        self.norm2: nn.Module = reference.norm2
        self.mlp: Any = reference.mlp
        self.window_size: int = reference.window_size
        self._destination: tuple[torch.device, torch.dtype] | None = None

    def defer(self, device: torch.device, dtype: torch.dtype) -> None:
        """Postpone the move of the weights to a device and a dtype until the block first runs."""
        self._destination = device, dtype

    def temporary(self) -> FastBlock:
        """Return the block ready to run, with copies of postponed weights, which stay where they are themselves."""
        if self._destination is None:
            return self
        moved = {id(each): nn.Parameter(each.to(*self._destination), False) for each in self.parameters()}
        ready = copy.deepcopy(self, moved)
        ready._destination = None
        return ready

    def _arrive(self) -> None:
        """Move deferred weights."""
        destination = self._destination
        if destination is not None:
            # Inference tensors could not take part in a later backward pass.
            with torch.inference_mode(False):
                self.to(*destination)
            self._destination = None

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on whole grids of tokens: (B, h, w, C) to (B, h, w, C)."""
        if not self.window_size:
            self._arrive()
            return self._feed_forward(x + self.attn(self.norm1(x)))
        grid = WindowGrid(tokens=(x.shape[1], x.shape[2]), window=self.window_size, patch=1)
        windows = grid.partition(x)
        return grid.unpartition(run_windows([self], windows, grid.windows * len(x), grid))

    def run(self, tokens: Tensor, inside: Tensor, windows: int) -> Tensor:
        """Run a window block on the tokens of windows, without their padding.

        Args:
            tokens: (N, C), window by window, each row by row.
            inside: (N,) their indices among all places of the windows, ascending.
            windows: Number of windows.

        Returns:
            (N, C).
        """
        self._arrive()
        qkv = linear(self.attn.qkv, self.norm1(tokens))
        shape = (windows, self.window_size, self.window_size, -1)
        if len(qkv) < windows * self.window_size**2:
            padded = self.attn.qkv.bias.to(qkv.dtype).repeat(windows * self.window_size**2, 1)
            qkv = padded.index_copy(0, inside, qkv)
        attended = self.attn.attend(qkv.view(shape))
        return self._feed_forward(tokens + linear(self.attn.proj, attended.flatten(0, 2)[inside]))

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        flat = tokens.flatten(0, -2)
        step = len(flat) if tokens.is_cuda else _TOKENS
        return torch.cat([part + self._mlp(self.norm2(part)) for part in torch.split(flat, step)]).view_as(
            tokens
        )

    def _mlp(self, x: Tensor) -> Tensor:
        return linear(self.mlp.lin2, linear_gelu(self.mlp.lin1, self.mlp.act, x))


def run_windows(
    blocks: Iterable[FastBlock], tokens: Tensor, windows: Sequence[Window], grid: WindowGrid
) -> Tensor:
    """Run window blocks in sequence on some windows.

    Args:
        blocks: The blocks.
        tokens: (n, window, window, C); padding is ignored.
        windows: Row and column of each of the n windows.
        grid: The windows' grid.

    Returns:
        (n, window, window, C); zero in the padding.
    """
    blocks = tuple(blocks)
    step = len(windows) if tokens.is_cuda else max(1, _TOKENS // grid.window**2)
    parts = []
    for first in range(0, len(windows), step):
        part = slice(first, first + step)
        inside = _inside(tuple(windows[part]), grid, tokens.device)
        places = tokens[part].flatten(0, 2)
        real = places[inside]
        for block in blocks:
            real = block.run(real, inside, len(windows[part]))
        parts.append(torch.zeros_like(places).index_copy(0, inside, real))
    return torch.cat(parts).view_as(tokens)


@lru_cache(maxsize=64)
def _inside(windows: tuple[Window, ...], grid: WindowGrid, device: torch.device) -> Tensor:
    """Return the indices of the windows' tokens that are not padding, ascending, on a device."""
    # An inference tensor in the cache could not be saved for a later backward pass.
    with torch.inference_mode(False):
        sizes = torch.tensor([grid.inside(window) for window in windows]).reshape(-1, 2, 1, 1)
        rows, columns = torch.arange(grid.window)[:, None], torch.arange(grid.window)
        return ((rows < sizes[:, 0]) & (columns < sizes[:, 1])).flatten().nonzero()[:, 0].to(device)


def accelerate_blocks(encoder: Any) -> None:
    """Replace every block of an `ImageEncoderViT`, in place; the state keeps its keys."""
    encoder.blocks = nn.ModuleList(FastBlock(block) for block in encoder.blocks)

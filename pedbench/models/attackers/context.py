"""The attackers' context network: guesses hidden categories from a detector's features of what is visible."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.attackers.sized import load_sized
from pedbench.models.kept import kept

DETECTOR = "objects-mini"
"""Detector whose features the network reads."""

_CANVAS, _SIDE, _LEVEL = 352, 256, 1
"""Sides in pixels of the square around a frame and of the detector's input, and the level of its features."""


@dataclass(frozen=True, kw_only=True)
class ContextSizes:
    """Sizes of a context network.

    Attributes:
        categories: Number of categories.
        channels: Channels of the detector's features.
        cells: Cells per side of the features.
        width: Width of the tokens.
        depth: Layers.
        heads: Attention heads.
    """

    categories: int = 20
    channels: int = 96
    cells: int = 16
    width: int = 64
    depth: int = 1
    heads: int = 4


class ContextNetwork(nn.Module):
    """A small transformer over the cells of a frame, of which those that are not visible have no features.

    Each hidden cell gives logits. Their soft maximum over the frame is that of the category.

    Source: Ilse, Tomczak and Welling, Attention-based Deep Multiple Instance Learning, arXiv 1802.04712 (a bag is
        positive if one of its instances is).
    """

    def __init__(self, sizes: ContextSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.enter = nn.Linear(sizes.channels, sizes.width)
        self.hidden = nn.Parameter(torch.zeros(sizes.width))
        self.positions = nn.Parameter(0.02 * torch.randn(sizes.cells**2, sizes.width))
        layer = nn.TransformerEncoderLayer(
            sizes.width, sizes.heads, 2 * sizes.width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, sizes.depth, enable_nested_tensor=False)
        self.leave = nn.Linear(sizes.width, sizes.categories)
        nn.init.constant_(self.leave.bias, -2.0)

    def forward(self, features: Tensor, visible: Tensor, inside: Tensor) -> Tensor:
        """Guess what is hidden.

        Args:
            features: (B, channels, cells, cells) of `detector_features`.
            visible: (B, 1, cells, cells) visible share of each cell.
            inside: (B, 1, cells, cells) share of each cell inside the frame.

        Returns:
            (B, categories) logits.
        """
        shown, frame = visible.flatten(1)[..., None], inside.flatten(1) > 0
        tokens = self.enter(features.flatten(2).transpose(1, 2))
        tokens = shown * tokens + (1 - shown) * self.hidden + self.positions
        mixed = self.body(tokens, src_key_padding_mask=~frame)
        logits = self.leave(mixed).masked_fill(~frame[..., None], -torch.inf)
        return torch.logsumexp(logits, dim=1) - frame.sum(1, keepdim=True).log()


def detector_features(detector: Any, pictures: Tensor, visible: Tensor) -> Tensor:
    """Return a detector's features of the visible parts, the rest filled with their mean colour.

    Args:
        detector: Network of `objects-mini`.
        pictures: (B, 3, S, S) in [0, 1], S at most 352; nothing of what is not visible is read.
        visible: (B, 1, S, S) 1 on visible pixels, else 0.

    Returns:
        (B, channels, cells, cells).
    """
    shown = pictures * visible
    count = visible.sum((2, 3), keepdim=True)
    mean = torch.where(count > 0, shown.sum((2, 3), keepdim=True) / count.clamp(min=1), 0.5)
    filled = shown + (1 - visible) * mean
    with torch.no_grad():
        outputs = detector(pixel_values=_resized(filled, _SIDE, 0.5))
    features: Tensor = outputs.encoder_last_hidden_state[_LEVEL]
    return features.clone()


def cell_shares(mask: Tensor, cells: int) -> Tensor:
    """Return the share of each cell, (B, 1, cells, cells), that a mask (B, 1, S, S) covers."""
    return _resized(mask, cells, 0.0)


def _resized(planes: Tensor, side: int, padding: float) -> Tensor:
    height, width = planes.shape[2:]
    square = functional.pad(planes, (0, _CANVAS - width, 0, _CANVAS - height), value=padding)
    if side < 64:
        return functional.interpolate(square, (side, side), mode="area")
    return functional.interpolate(square, (side, side), mode="bilinear", antialias=True)


@kept
def load_context(path: Path) -> ContextNetwork:
    """Load a network of `save_sized`, in evaluation mode, its parameters frozen.

    Raises:
        MissingWeightsError: The file is missing.
        CheckpointError: The file is of another kind, or its digest differs from the manifest.
    """
    return load_sized(path, ContextSizes, ContextNetwork, "context")

"""Exact fast attention with decomposed relative positions, for `segment_anything`'s image encoder.

The reference materialises softmax(q k^T s + bias) for all heads at once. Here the same mathematics goes
through `scaled_dot_product_attention`, which never holds the attention map, in one of two ways:

- `bias_attention`: the bias as the additive mask, a head at a time where it is large;
- `augmented_attention`: no mask at all. With one-hot keys, q' = [q s, rel_h, rel_w] and k' = [k, onehot_h,
  onehot_w] give q' k'^T = q k^T s + rel_h + rel_w, so that fused kernels without a mask argument serve too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# Measured on two CPU cores: a larger bias, of all heads together, is slower than one head's bias at a time.
_BIAS_ELEMENTS = 2**22
# Measured likewise: no fused CPU kernel differentiates a mask; from here on training is faster without one.
_TRAINED_MASK_TOKENS = 256


@lru_cache(maxsize=64)
def _relative_index(size: int, device: torch.device) -> Tensor:
    """(size, size) indices into a table of 2 size - 1 relative positions: query minus key, from 0 on."""
    # An inference tensor in the cache could not be saved for a later backward pass.
    with torch.inference_mode(False):
        position = torch.arange(size, device=device)
        return position[:, None] - position[None, :] + (size - 1)


@lru_cache(maxsize=64)
def _one_hot_keys(height: int, width: int, padding: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(height * width, height + width + padding): each key's row and column, one-hot, then zeros."""
    with torch.inference_mode(False):
        rows = torch.eye(height, dtype=dtype, device=device).repeat_interleave(width, dim=0)
        columns = torch.eye(width, dtype=dtype, device=device).repeat(height, 1)
        zeros = torch.zeros(height * width, padding, dtype=dtype, device=device)
        return torch.cat([rows, columns, zeros], dim=1)


def relative_terms(
    q: Tensor, table_h: Tensor, table_w: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Each query's relative-position terms per key row and per key column.

    Args:
        q: (B, heads, h * w, c) unscaled queries.
        table_h: (2 h - 1, c) relative positions along the height.
        table_w: (2 w - 1, c) relative positions along the width.
        size: (h, w).

    Returns:
        (B, heads, h * w, h) and (B, heads, h * w, w).
    """
    height, width = size
    grid = q.reshape(*q.shape[:2], height, width, -1)
    along_h = table_h[_relative_index(height, q.device)]
    along_w = table_w[_relative_index(width, q.device)]
    rel_h = torch.einsum("bnhwc,hkc->bnhwk", grid, along_h)
    rel_w = torch.einsum("bnhwc,wkc->bnhwk", grid, along_w)
    return rel_h.flatten(2, 3), rel_w.flatten(2, 3)


def bias_attention(
    q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor, size: tuple[int, int], scale: float
) -> Tensor:
    """Attention with the relative terms as an additive mask.

    Args:
        q: (B, heads, h * w, c) unscaled queries; `k` and `v` alike.
        k: Keys.
        v: Values.
        rel_h: (B, heads, h * w, h) term of each key row.
        rel_w: (B, heads, h * w, w) term of each key column.
        size: (h, w).
        scale: Factor on q k^T.

    Returns:
        (B, heads, h * w, c).
    """
    heads = q.shape[1]
    step = heads if q.shape[0] * heads * q.shape[2] ** 2 <= _BIAS_ELEMENTS else 1
    parts = []
    for first in range(0, heads, step):
        part = slice(first, first + step)
        bias = rel_h[:, part, :, :, None] + rel_w[:, part, :, None, :]
        parts.append(
            functional.scaled_dot_product_attention(
                q[:, part], k[:, part], v[:, part], attn_mask=bias.flatten(3), scale=scale
            )
        )
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def augmented_attention(
    q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor, size: tuple[int, int], scale: float
) -> Tensor:
    """Attention with the relative terms as further channels of queries and keys; see `bias_attention`."""
    channels = q.shape[-1]
    # Fused kernels want a multiple of 8 channels, the same for queries, keys and values.
    padding = -(channels + sum(size)) % 8
    one_hot = _one_hot_keys(*size, padding, q.dtype, q.device)
    queries = functional.pad(torch.cat([q * scale, rel_h, rel_w], dim=-1), (0, padding))
    keys = torch.cat([k, one_hot.expand(*k.shape[:2], -1, -1)], dim=-1)
    values = functional.pad(v, (0, sum(size) + padding))
    return functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)[..., :channels]


class FastAttention(nn.Module):
    """`segment_anything`'s encoder attention: same parameters, same result, less memory and time.

    Args:
        reference: The attention module to stand in for; its parameters are taken over, not copied.

    Raises:
        ValueError: The module has no relative positions.
    """

    def __init__(self, reference: Any) -> None:
        super().__init__()
        if not reference.use_rel_pos:
            raise ValueError(
                "found an attention without relative positions; the encoder was not built as SAM's"
            )
        self.num_heads: int = reference.num_heads
        self.scale: float = reference.scale
        self.qkv: nn.Linear = reference.qkv
        self.proj: nn.Linear = reference.proj
        self.rel_pos_h: nn.Parameter = reference.rel_pos_h
        self.rel_pos_w: nn.Parameter = reference.rel_pos_w

    def forward(self, x: Tensor) -> Tensor:
        """Let the tokens of each grid attend to each other.

        Args:
            x: (B, h, w, C) tokens; B counts windows where the block attends within windows.

        Returns:
            (B, h, w, C).

        Raises:
            ValueError: The relative-position tables belong to another grid size.
        """
        batch, height, width, _ = x.shape
        if (len(self.rel_pos_h), len(self.rel_pos_w)) != (2 * height - 1, 2 * width - 1):
            raise ValueError(
                f"found relative-position tables of {len(self.rel_pos_h)} and {len(self.rel_pos_w)} entries, "
                f"but a grid of {height}x{width} tokens needs {2 * height - 1} and {2 * width - 1}"
            )
        size = (height, width)
        qkv = self.qkv(x).reshape(batch, height * width, 3, self.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        rel_h, rel_w = relative_terms(q, self.rel_pos_h, self.rel_pos_w, size)
        trained_mask = height * width >= _TRAINED_MASK_TOKENS and rel_h.requires_grad
        attend = augmented_attention if x.is_cuda or trained_mask else bias_attention
        out = attend(q, k, v, rel_h, rel_w, size, self.scale)
        return self.proj(out.transpose(1, 2).reshape(batch, height, width, -1))  # type: ignore[no-any-return]


def accelerate_attention(encoder: Any) -> None:
    """Replace the attention of every block of an `ImageEncoderViT`, in place; the state keeps its keys."""
    for block in encoder.blocks:
        block.attn = FastAttention(block.attn)

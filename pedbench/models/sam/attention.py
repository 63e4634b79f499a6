"""Exact fast attention with decomposed relative positions, for `segment_anything`'s image encoder.

The reference materialises softmax(q k^T s + bias) for all heads at once. Three implementations here compute the
same:

- `chunked_attention`, on a CPU without gradients: pieces of the attention map that fit into the cache, in matrix
  products, which are faster on CPUs than the fused kernel with a mask;
- `bias_attention`: the bias as the mask of `scaled_dot_product_attention`;
- `augmented_attention`: no mask. With one-hot keys, q' = [q s, rel_h, rel_w] and k' = [k, onehot_h, onehot_w] give
  q' k'^T = q k^T s + rel_h + rel_w, so fused kernels without a mask argument can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pedbench.models.sam.onednn_linear import linear

# Scores in one piece: 4 MiB in float32. Measured on two CPU cores; half or twice as many differ little.
_SCORES = 2**20
# Tokens from which training is faster without a mask (measured): no fused CPU kernel differentiates a mask.
_TRAINED_MASK_TOKENS = 256


@lru_cache(maxsize=64)
def _relative_index(size: int, device: torch.device) -> Tensor:
    """Return (size, size) indices into a table of 2 size - 1 relative positions: query minus key, from 0 on."""
    # An inference tensor in the cache could not be saved for a later backward pass.
    with torch.inference_mode(False):
        position = torch.arange(size, device=device)
        return position[:, None] - position[None, :] + (size - 1)


@lru_cache(maxsize=64)
def _one_hot_keys(height: int, width: int, padding: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (height * width, height + width + padding): each key's row and column, one-hot, then zeros."""
    with torch.inference_mode(False):
        rows = torch.eye(height, dtype=dtype, device=device).repeat_interleave(width, dim=0)
        columns = torch.eye(width, dtype=dtype, device=device).repeat(height, 1)
        zeros = torch.zeros(height * width, padding, dtype=dtype, device=device)
        return torch.cat([rows, columns, zeros], dim=1)


def relative_terms(
    q: Tensor, table_h: Tensor, table_w: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return each query's relative-position terms per key row and per key column.

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
    """Compute attention with the relative terms as an additive mask.

    Args:
        q: (B, heads, h * w, c) unscaled queries.
        k: (B, heads, h * w, c) keys.
        v: (B, heads, h * w, c) values.
        rel_h: (B, heads, h * w, h) term of each key row.
        rel_w: (B, heads, h * w, w) term of each key column.
        size: (h, w).
        scale: Factor on q k^T.

    Returns:
        (B, heads, h * w, c).
    """
    bias = (rel_h[..., :, None] + rel_w[..., None, :]).flatten(3)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)


def chunked_attention(
    q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor, size: tuple[int, int], scale: float
) -> Tensor:
    """Compute attention piece by piece in one buffer; not differentiable. See `bias_attention`."""
    batch, heads, length, channels = q.shape
    out = q.new_empty(batch, length, heads, channels).transpose(1, 2)
    buffer = q.new_empty(min(batch * heads * length**2, max(_SCORES, length)))
    for part in _pieces(batch, heads, length):
        queries = q[part].flatten(0, 1)
        keys, values = (each[part[:2]].flatten(0, 1) for each in (k, v))
        scores = buffer[: len(queries) * queries.shape[1] * length].view(len(queries), -1, length)
        along_h, along_w = rel_h[part].flatten(0, 1), rel_w[part].flatten(0, 1)
        torch.add(along_h[..., :, None], along_w[..., None, :], out=scores.view(*scores.shape[:2], *size))
        if len(queries) == 1:  # In bfloat16 the batched product copies the scores.
            scores[0].addmm_(queries[0], keys[0].T, alpha=scale)
        else:
            scores.baddbmm_(queries, keys.transpose(1, 2), alpha=scale)
        torch.softmax(scores, dim=-1, out=scores)
        out[part] = torch.bmm(scores, values).view_as(q[part])
    return out


def _pieces(batch: int, heads: int, length: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut an attention map into grids if these are small, else into heads and queries."""
    grids = _SCORES // (heads * length**2)
    if grids:
        for first in range(0, batch, grids):
            yield slice(first, first + grids), slice(heads), slice(length)
        return
    rows = max(1, _SCORES // length)
    for index, head, first in product(range(batch), range(heads), range(0, length, rows)):
        yield slice(index, index + 1), slice(head, head + 1), slice(first, first + rows)


def augmented_attention(
    q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor, size: tuple[int, int], scale: float
) -> Tensor:
    """Compute attention with the relative terms as further channels of queries and keys; see `bias_attention`."""
    channels = q.shape[-1]
    # Fused kernels need a multiple of 8 channels, the same for queries, keys and values.
    padding = -(channels + sum(size)) % 8
    one_hot = _one_hot_keys(*size, padding, q.dtype, q.device)
    queries = functional.pad(torch.cat([q * scale, rel_h, rel_w], dim=-1), (0, padding))
    keys = torch.cat([k, one_hot.expand(*k.shape[:2], -1, -1)], dim=-1)
    values = functional.pad(v, (0, sum(size) + padding))
    return functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)[..., :channels]


class FastAttention(nn.Module):
    """`segment_anything`'s encoder attention: same parameters, same result, less memory and time.

    Args:
        reference: The attention module to replace; its parameters are shared, not copied.

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
        """Apply attention among the tokens of each grid.

        Args:
            x: (B, h, w, C) tokens; B counts windows if the block attends within windows.

        Returns:
            (B, h, w, C).

        Raises:
            ValueError: The relative-position tables belong to another grid size.
        """
        return linear(self.proj, self.attend(linear(self.qkv, x)))

    def attend(self, qkv: Tensor) -> Tensor:
        """Compute the attention between the two projections.

        Args:
            qkv: (B, h, w, 3 C) queries, keys and values.

        Returns:
            (B, h, w, C).

        Raises:
            ValueError: The relative-position tables belong to another grid size.
        """
        batch, height, width, _ = qkv.shape
        if (len(self.rel_pos_h), len(self.rel_pos_w)) != (2 * height - 1, 2 * width - 1):
            raise ValueError(
                f"found relative-position tables of {len(self.rel_pos_h)} and {len(self.rel_pos_w)} entries, "
                f"but a grid of {height}x{width} tokens needs {2 * height - 1} and {2 * width - 1}"
            )
        size = (height, width)
        split = qkv.reshape(batch, height * width, 3, self.num_heads, -1)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        rel_h, rel_w = relative_terms(q, self.rel_pos_h, self.rel_pos_w, size)
        out = self._implementation(rel_h, height * width)(q, k, v, rel_h, rel_w, size, self.scale)
        return out.transpose(1, 2).reshape(batch, height, width, -1)

    def _implementation(self, terms: Tensor, length: int) -> Callable[..., Tensor]:
        if not terms.is_cuda and not terms.requires_grad:
            return chunked_attention
        return augmented_attention if terms.is_cuda or length >= _TRAINED_MASK_TOKENS else bias_attention

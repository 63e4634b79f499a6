"""The PED block order (window blocks first, then global blocks) and other training-free variants."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from pedbench.models.sam.architectures import VARIANTS, Variant


def global_blocks(encoder: Any) -> tuple[int, ...]:
    """Return the indices of the encoder's blocks with global attention, ascending."""
    return tuple(index for index, block in enumerate(encoder.blocks) if block.window_size == 0)


def block_order(depth: int, globals_at: Sequence[int]) -> tuple[int, ...]:
    """Return the PED order of `depth` blocks: entry i is the former index of the block at place i."""
    windows = (index for index in range(depth) if index not in globals_at)
    return (*windows, *sorted(globals_at))


def reorder(encoder: Any) -> tuple[int, ...]:
    """Move the window blocks before the global ones, in place; each kind keeps its order.

    Returns:
        The permutation, for `restore`.
    """
    order = block_order(len(encoder.blocks), global_blocks(encoder))
    encoder.blocks = nn.ModuleList(encoder.blocks[index] for index in order)
    return order


def variant(sam: Any, name: Variant) -> Any:
    """Derive a network without training.

    Args:
        sam: The network in its original block order.
        name: `original`; `reordered`: PED order; `windowed`: the global blocks attend within windows, with
            the centre of their relative-position tables; `dropped`: the global blocks are left out.

    Returns:
        Another `Sam` that shares the weights of `sam`: changes in place, `to` included, affect both.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}; known: {', '.join(VARIANTS)}")
    derived = _share(sam)
    encoder = derived.image_encoder
    if name == "reordered":
        reorder(encoder)
    elif name == "windowed":
        window = max(block.window_size for block in encoder.blocks)
        for index in global_blocks(encoder):
            _make_windowed(encoder.blocks[index], window)
    elif name == "dropped":
        encoder.blocks = nn.ModuleList(block for block in encoder.blocks if block.window_size)
    return derived


def _share(module: nn.Module) -> Any:
    """Copy the structure of a module, not its tensors."""
    tensors = (*module.parameters(), *module.buffers())
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})


def _make_windowed(block: Any, window: int) -> None:
    block.window_size = window
    for name in ("rel_pos_h", "rel_pos_w"):
        table = getattr(block.attn, name)
        centre = len(table) // 2
        reach = table.detach()[centre - window + 1 : centre + window]
        setattr(block.attn, name, nn.Parameter(reach, requires_grad=table.requires_grad))

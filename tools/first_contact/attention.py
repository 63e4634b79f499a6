"""Time, memory and error of the attention implementations, on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from segment_anything.modeling.image_encoder import Attention
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.attention import (
    FastAttention,
    augmented_attention,
    bias_attention,
    chunked_attention,
)
from pedbench.report.words.text import code, table
from tools.first_contact.cells import duration, errors, memory, ratio, small_number
from tools.first_contact.setting import Setting, attempt, compare

THEIRS = "segment_anything"
CHOSEN = "pedbench"
VARIANTS: dict[str, tuple[Callable[..., Tensor], SDPBackend | None]] = {
    "pieces in one buffer": (chunked_attention, None),
    "bias as a mask": (bias_attention, None),
    "bias as channels, flash": (augmented_attention, SDPBackend.FLASH_ATTENTION),
    "bias as channels, memory-efficient": (augmented_attention, SDPBackend.EFFICIENT_ATTENTION),
    "bias as channels, cuDNN": (augmented_attention, SDPBackend.CUDNN_ATTENTION),
}
"""Implementations, and the fused kernel that they must use; any kernel by default."""


class _Fixed(FastAttention):
    """Attention by one implementation, whatever the device."""

    def __init__(self, reference: Any, attend: Callable[..., Tensor]) -> None:
        super().__init__(reference)
        self._attend = attend

    def _implementation(self, terms: Tensor, length: int) -> Callable[..., Tensor]:
        return self._attend


def measure(setting: Setting) -> dict[str, Any]:
    """Measure attention layers of ViT-B and ViT-H, over the whole grid and within all windows of a picture."""
    rows = []
    for name in ("vit_b", "vit_h"):
        sizes = setting.architecture(name)
        window = (sizes.window_size, sizes.window_size)
        for block, grid, count in (("global", sizes.tokens, 1), ("window", window, sizes.grid.count)):
            for dtype in ("float32", "bfloat16"):
                layer = {"network": sizes.name, "block": block, "dtype": dtype}
                found = layers(sizes, grid, count, getattr(torch, dtype), setting)
                rows += [{**layer, "variant": variant, **row} for variant, row in found.items()]
    return {"rows": rows}


def layers(
    sizes: Architecture, grid: tuple[int, int], count: int, dtype: torch.dtype, setting: Setting
) -> dict[str, dict[str, Any]]:
    """Measure one attention layer in all implementations.

    Args:
        sizes: The network.
        grid: Height and width of the tokens that attend to each other.
        count: Number of such grids.
        dtype: Type of weights and tokens.
        setting: Device and repeats.

    Returns:
        For each implementation the entries of `compare`, and its `largest` error over the standard deviation of
        `segment_anything`'s output in float32.
    """
    torch.manual_seed(0)
    theirs = Attention(sizes.embed_dim, num_heads=sizes.heads, use_rel_pos=True, input_size=grid)
    for positions in (theirs.rel_pos_h, theirs.rel_pos_w):
        torch.nn.init.normal_(positions, std=0.2)
    tokens = torch.randn(count, *grid, sizes.embed_dim)
    theirs = theirs.eval().requires_grad_(False).to(setting.device)
    with torch.inference_mode():
        expected = theirs(tokens.to(setting.device)).float()
    tokens, theirs = tokens.to(setting.device, dtype), theirs.to(dtype)
    runs: dict[str, Callable[[], Tensor]] = {
        THEIRS: partial(_attend, theirs, tokens, None),
        CHOSEN: partial(_attend, FastAttention(theirs), tokens, None),
    }
    runs |= {
        name: partial(_attend, _Fixed(theirs, attend), tokens, kernel)
        for name, (attend, kernel) in VARIANTS.items()
    }
    found = compare(runs, setting)
    for name, run in runs.items():
        if "error" not in found[name]:
            found[name] |= attempt(
                lambda run=run: {"largest": float((run().float() - expected).abs().max() / expected.std())}  # type: ignore[misc]
            )
    return found


def _attend(layer: Any, tokens: Tensor, kernel: SDPBackend | None) -> Tensor:
    with torch.inference_mode(), sdpa_kernel(kernel) if kernel is not None else nullcontext():
        attended: Tensor = layer(tokens)
    return attended


def show(result: Mapping[str, Any]) -> str:
    """Return a table with a line for each layer and implementation."""
    rows = result["rows"]
    reference = {_layer(row): row for row in rows if row["variant"] == THEIRS}
    lines = [
        [
            *_layer(row),
            code(row["variant"]) if row["variant"] in (THEIRS, CHOSEN) else row["variant"],
            duration(row),
            ratio(row, reference[_layer(row)]),
            memory(row),
            small_number(row, "largest"),
        ]
        for row in rows
    ]
    headers = ["network", "block", "type", "implementation", "time", "ratio", "peak memory", "largest error"]
    return "\n\n".join(
        filter(
            None,
            [
                "An attention layer of one picture: time, its ratio to `segment_anything`'s, peak memory beyond "
                "weights and tokens, and the error relative to the standard deviation of `segment_anything`'s output "
                f"in float32. `{CHOSEN}` is what the encoder uses on the device: on CUDA the bias as channels, "
                "with the kernel that torch chooses.",
                table(headers, lines, left=4),
                errors(rows, "variant"),
            ],
        )
    )


def _layer(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["network"], row["block"], row["dtype"]

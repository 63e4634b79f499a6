"""Multiply-adds against torch's own counter, over segment_anything's unmodified modules on the meta device."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pedbench.latency.multiply_adds import (
    encoder,
    global_blocks,
    neck,
    patch_embedding,
    window_blocks,
    window_stage,
)
from pedbench.models.sam.architectures import PED_MINI, SAM_MINI, SMALL, VIT_B, VIT_H, VIT_L, Architecture
from pedbench.models.sam.assembly import build_sam


def without_weights(of: Architecture) -> Any:
    with torch.device("meta"):
        sam = build_sam(of, fast=False)
    return sam.to("meta")


def counted(of: Architecture) -> dict[str, int]:
    """Multiply-adds by module; torch counts two operations for each."""
    picture = torch.empty(1, 3, of.image_size, of.image_size, device="meta")
    sam = without_weights(of)
    with FlopCounterMode(display=False) as counter:
        sam.image_encoder(picture)
    found: Any = counter.get_flop_counts()
    return {name: sum(by_kind.values()) // 2 for name, by_kind in found.items()}


@pytest.mark.parametrize(
    "of",
    [
        VIT_B,
        pytest.param(VIT_L, marks=pytest.mark.long),
        pytest.param(VIT_H, marks=pytest.mark.long),
        SAM_MINI,
        PED_MINI,
        SMALL,
    ],
    ids=lambda of: of.name,
)
def test_the_encoder_takes_what_torch_counts(of: Architecture) -> None:
    found = counted(of)
    blocks = [found[f"ImageEncoderViT.blocks.{index}"] for index in range(of.depth)]
    windowed = sum(count for index, count in enumerate(blocks) if index not in of.global_blocks)
    assert window_blocks(of) == windowed
    assert global_blocks(of) == sum(blocks) - windowed
    assert neck(of) == found["ImageEncoderViT.neck"]
    assert patch_embedding(of, of.tokens[0] ** 2) == found["ImageEncoderViT.patch_embed"]
    assert encoder(of) == found["Global"]


def test_windows_add_up_to_the_grid() -> None:
    windows = VIT_H.grid.windows
    apart = sum(window_stage(VIT_H, [window]) for window in windows)
    assert apart == window_stage(VIT_H, windows)
    assert apart - window_blocks(VIT_H) == patch_embedding(VIT_H, 25 * 14**2)
    # A corner holds 8 x 8 of 14 x 14 tokens: attention pads it, the MLP does not.
    assert window_stage(VIT_H, [(4, 4)]) < window_stage(VIT_H, [(0, 0)])


def test_published_sizes_and_shares() -> None:
    # Kirillov et al., arXiv 2304.02643 give parameters, no operations; these are counted without the products for
    # relative positions, which others leave out.
    positions = 2 * VIT_H.embed_dim * (28 * 25 * 14**3 + 4 * 64**3)
    assert (encoder(VIT_H) - positions) / 1e9 == pytest.approx(2973, abs=1)
    shares = [(global_blocks(of) + neck(of)) / encoder(of) for of in (VIT_H, VIT_L, VIT_B)]
    assert shares == pytest.approx([0.17, 0.23, 0.46], abs=0.005)

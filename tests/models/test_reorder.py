"""Block orders and training-free variants against `segment_anything`'s encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pedbench.models.sam.architectures import SAM_MINI, SMALL, VARIANTS, Architecture
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.reorder import block_order, global_blocks, reorder, variant

MakeSam = Callable[[Architecture], Any]
MakeReference = Callable[[Architecture, Any], Any]


def test_reorder_moves_blocks_and_copies_nothing() -> None:
    encoder = build_sam(SAM_MINI).image_encoder
    before = {key: value.data_ptr() for key, value in encoder.state_dict().items()}
    order = reorder(encoder)
    assert order == (0, 1, 2, 4, 5, 6, 3, 7) == block_order(8, (3, 7))
    assert global_blocks(encoder) == (6, 7)
    moved = {key: value.data_ptr() for key, value in encoder.state_dict().items()}
    assert moved["blocks.6.mlp.lin1.weight"] == before["blocks.3.mlp.lin1.weight"]
    assert sorted(moved.values()) == sorted(before.values())


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SAM_MINI, SMALL], ids=lambda sizes: sizes.name)
def test_reordered_is_the_encoder_built_in_that_order(
    sizes: Architecture, random_sam: MakeSam, reference_sam: MakeReference
) -> None:
    reordered = variant(random_sam(sizes), "reordered")
    reference = reference_sam(sizes.reordered("reference"), reordered)
    pixels = torch.randn(1, 3, sizes.image_size, sizes.image_size)
    expected = reference.image_encoder(pixels)
    torch.testing.assert_close(reordered.image_encoder(pixels), expected, atol=1e-5, rtol=0)
    assert (random_sam(sizes).image_encoder(pixels) - expected).abs().max() > 0.1


def test_windowed_runs_globals_on_the_table_of_near_positions(
    random_sam: MakeSam, reference_sam: MakeReference
) -> None:
    sam = random_sam(SAM_MINI)
    windowed = variant(sam, "windowed")
    sizes = Architecture(**{**vars(SAM_MINI), "name": "reference", "global_blocks": ()})
    reference = reference_sam(sizes, windowed)
    pixels = torch.randn(1, 3, 320, 320)
    torch.testing.assert_close(
        windowed.image_encoder(pixels), reference.image_encoder(pixels), atol=1e-5, rtol=0
    )
    table = sam.image_encoder.blocks[3].attn.rel_pos_h
    reduced = windowed.image_encoder.blocks[3].attn.rel_pos_h
    # Entry i of a table of n positions a side stands for a distance of i - (n - 1).
    for distance in range(-3, 4):
        assert torch.equal(reduced[distance + 3], table[distance + 19])


@pytest.mark.slow
def test_dropped_leaves_the_window_blocks(random_sam: MakeSam) -> None:
    sam = random_sam(SAM_MINI)
    dropped = variant(sam, "dropped").image_encoder
    assert len(dropped.blocks) == 6
    assert dropped.blocks[3].mlp.lin1.weight is sam.image_encoder.blocks[4].mlp.lin1.weight


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_share_weights_and_leave_the_original(name: Any, random_sam: MakeSam) -> None:
    sam = random_sam(SAM_MINI)
    before = [id(block) for block in sam.image_encoder.blocks]
    derived = variant(sam, name)
    assert derived.mask_decoder.iou_token.weight is sam.mask_decoder.iou_token.weight
    assert derived.image_encoder.pos_embed is sam.image_encoder.pos_embed
    assert [id(block) for block in sam.image_encoder.blocks] == before
    assert global_blocks(sam.image_encoder) == (3, 7)


def test_unknown_variant(random_sam: MakeSam) -> None:
    with pytest.raises(ValueError, match="unknown variant 'shuffled'; known: original"):
        variant(random_sam(SMALL), "shuffled")  # type: ignore[arg-type]

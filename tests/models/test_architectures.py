"""Architectures against `segment_anything`'s own builders, and the size of the small network."""

from __future__ import annotations

import pytest
import torch
from segment_anything import sam_model_registry
from torch.utils.flop_counter import FlopCounterMode

from pedbench.models.sam.architectures import SAM_MINI, SAM_TINY, SLIM_SAM, Architecture, architecture
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.decoder import predict_masks


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_official_sizes(name: str) -> None:
    with torch.device("meta"):
        official = sam_model_registry[name]()
    ours = build_sam(architecture(name), fast=False, allocate=False)
    shapes = {key: value.shape for key, value in official.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == shapes
    windows = [block.window_size for block in official.image_encoder.blocks]
    assert [block.window_size for block in ours.image_encoder.blocks] == windows
    for part in ("num_heads", "scale"):
        expected = [getattr(block.attn, part) for block in official.image_encoder.blocks]
        assert [getattr(block.attn, part) for block in ours.image_encoder.blocks] == expected
    eps = {module.eps for module in official.modules() if hasattr(module, "eps")}
    assert {module.eps for module in ours.modules() if hasattr(module, "eps")} == eps
    assert ours.mask_decoder.transformer.num_heads == official.mask_decoder.transformer.num_heads


def test_small_network_costs_at_most_an_eighth() -> None:
    def operations(sizes: Architecture) -> int:
        # Of the fast encoder the counter knows not all products.
        sam = build_sam(sizes, fast=False).requires_grad_(False)
        with FlopCounterMode(display=False) as counter:
            features = sam.image_encoder(torch.zeros(1, 3, sizes.image_size, sizes.image_size))
            predict_masks(sam, features, points=torch.zeros(1, 1, 2), labels=torch.ones(1, 1))
        return int(counter.get_total_flops())

    assert 8 * operations(SAM_TINY) <= operations(SAM_MINI)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'sam-mini'"):
        architecture("sam-mino")


def test_slimsam_is_a_sam_of_its_published_size() -> None:
    # nielsr/slimsam-77-uniform and Zigeng/SlimSAM-uniform-77: hidden_size 168, mlp_dim 696, a file of 38.9 MB.
    state = build_sam(SLIM_SAM, allocate=False).state_dict()
    assert state["image_encoder.blocks.0.mlp.lin1.weight"].shape == (696, 168)
    assert sum(values.numel() for values in state.values()) * 4 == pytest.approx(38.9e6, rel=0.01)

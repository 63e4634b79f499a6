"""Blocks that move to a device and a dtype when they first run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pedbench.models.sam.architectures import SMALL, Architecture
from pedbench.models.sam.networks import place
from pedbench.models.sam.reorder import variant
from pedbench.models.sam.stages import GlobalStage, WindowStage

MakeSam = Callable[[Architecture], Any]

ORDERED = SMALL.reordered("ped-small")
CPU = torch.device("cpu")


@pytest.fixture
def deferred(random_sam: MakeSam) -> Any:
    """A network in float32, to be run in bfloat16."""
    sam = copy.deepcopy(random_sam(ORDERED)).requires_grad_(False)
    place(sam, CPU, torch.bfloat16)
    return sam


@pytest.fixture
def tokens() -> Tensor:
    return torch.randn(1, *ORDERED.tokens, ORDERED.embed_dim, generator=torch.Generator().manual_seed(1))


def dtypes(sam: Any) -> list[set[torch.dtype]]:
    """Return the dtypes of each block's weights."""
    return [{weight.dtype for weight in block.parameters()} for block in sam.image_encoder.blocks]


def test_a_block_is_converted_when_it_first_runs(deferred: Any, random_sam: MakeSam, tokens: Tensor) -> None:
    whole = copy.deepcopy(random_sam(ORDERED).image_encoder).bfloat16()
    stage = GlobalStage(deferred.image_encoder)
    assert dtypes(deferred) == [{torch.float32}] * len(whole.blocks)
    with torch.inference_mode():
        assert torch.equal(stage(tokens), GlobalStage(whole)(tokens))
    run = len(whole.blocks) - stage.first
    assert dtypes(deferred) == [{torch.float32}] * stage.first + [{torch.bfloat16}] * run
    assert not any(weight.is_inference() for weight in deferred.parameters())


def test_a_block_converted_during_a_pass_takes_part_in_gradients(deferred: Any, tokens: Tensor) -> None:
    stage = GlobalStage(deferred.image_encoder)
    with torch.inference_mode():
        stage(tokens)
    leaf = tokens.clone().requires_grad_()
    with torch.enable_grad():
        stage(leaf).float().square().mean().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    assert leaf.grad.any()


def test_windows_beyond_the_frame_convert_no_block_for_good(deferred: Any, random_sam: MakeSam) -> None:
    stages = [WindowStage(deferred.image_encoder)]
    stages.append(WindowStage(copy.deepcopy(random_sam(ORDERED).image_encoder).bfloat16()))
    size = (ORDERED.image_size // 4,) * 2
    side, width = stages[0].grid.window, ORDERED.embed_dim
    active = {window: torch.ones(side, side, width) for window in stages[0].grid.active(size)}
    found, expected = (stage.assemble(active, size) for stage in stages)
    assert torch.equal(found, expected)
    assert (found != 1).any()
    assert set.union(*dtypes(deferred)) == {torch.float32}


def test_variants_share_converted_weights(deferred: Any, tokens: Tensor) -> None:
    networks = [deferred, variant(deferred, "reordered"), variant(deferred, "original")]
    for network in networks:
        GlobalStage(network.image_encoder)(tokens)
    addresses = {network.image_encoder.blocks[-1].attn.qkv.weight.data_ptr() for network in networks}
    assert len(addresses) == 1

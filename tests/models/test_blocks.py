"""Fast blocks and their products against `segment_anything`'s and torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from pedbench.host.determinism import without_onednn
from pedbench.models.sam import blocks
from pedbench.models.sam.architectures import SAM_MINI, SMALL, VIT_B, Architecture
from pedbench.models.sam.onednn_linear import linear, linear_gelu

MakeSam = Callable[[Architecture], Any]
MakeReference = Callable[[Architecture, Any], Any]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads; it is as before at the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [1, 400, 2**20], ids=["a-window", "some", "all"])
@pytest.mark.parametrize("sizes", [SAM_MINI, SMALL], ids=lambda sizes: sizes.name)
def test_blocks_equal_segment_anything(
    monkeypatch: pytest.MonkeyPatch,
    sizes: Architecture,
    tokens: int,
    random_sam: MakeSam,
    reference_sam: MakeReference,
) -> None:
    monkeypatch.setattr(blocks, "_TOKENS", tokens)
    sam = random_sam(sizes)
    expected = reference_sam(sizes, sam).image_encoder
    x = torch.randn(2, *sizes.tokens, sizes.embed_dim)
    for ours, theirs in zip(sam.image_encoder.blocks, expected.blocks, strict=True):
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=0)


@pytest.mark.long
def test_vit_b_equals_segment_anything(random_sam: MakeSam, reference_sam: MakeReference) -> None:
    sam = random_sam(VIT_B)
    pixels = torch.randn(1, 3, 1024, 1024)
    expected = reference_sam(VIT_B, sam).image_encoder(pixels)
    torch.testing.assert_close(sam.image_encoder(pixels), expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SAM_MINI, SMALL], ids=lambda sizes: sizes.name)
def test_threads_do_not_change_a_bit(
    sizes: Architecture, random_sam: MakeSam, threads: Callable[[int], None]
) -> None:
    encoder = random_sam(sizes).image_encoder
    pixels = torch.randn(1, 3, sizes.image_size, sizes.image_size)
    found = []
    with without_onednn():
        for count in (1, 2, 3, 4):
            threads(count)
            found.append(encoder(pixels))
    assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "shape", [(4096, 768, 2304), (980, 3072, 768), (400, 192, 768), (16, 192, 576)], ids=str
)
def test_products_are_torch_s_for_any_number_of_threads(
    dtype: torch.dtype, shape: tuple[int, int, int], threads: Callable[[int], None]
) -> None:
    rows, inputs, outputs = shape
    layer, activation, x = (
        nn.Linear(inputs, outputs).to(dtype),
        nn.GELU(),
        torch.randn(rows, inputs).to(dtype),
    )
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append((linear(layer, x), linear_gelu(layer, activation, x)))
    for values in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(values, found[0], strict=True))
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    exact = nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double())
    for value, expected in zip(found[0], (exact, activation(exact)), strict=True):
        torch.testing.assert_close(value.double(), expected, atol=tolerance, rtol=tolerance)


def test_products_can_be_differentiated_and_cast() -> None:
    layer, x = nn.Linear(8, 4), torch.randn(3, 8, requires_grad=True)
    with torch.enable_grad():
        value = linear_gelu(layer, nn.GELU(), x)
        gradients = torch.autograd.grad(value.sum(), [x, layer.weight])
        expected = torch.autograd.grad(nn.functional.gelu(layer(x)).sum(), [x, layer.weight])
    for found, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, other)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(layer, x).dtype == torch.bfloat16


def test_autocast_comes_near_float32(random_sam: MakeSam) -> None:
    encoder = random_sam(SMALL).image_encoder
    pixels = torch.randn(1, 3, 256, 256)
    with torch.autocast("cpu", torch.bfloat16):
        cast = encoder(pixels).float()
    exact = encoder(pixels)
    assert (cast - exact).square().mean() < 1e-3 * exact.square().mean()

"""Fast attention against `segment_anything`'s own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention
from torch import Tensor

from pedbench.models.sam import attention
from pedbench.models.sam.attention import (
    FastAttention,
    augmented_attention,
    bias_attention,
    chunked_attention,
)

SIZES = [(14, 14), (20, 20), (5, 9)]


def reference(size: tuple[int, int]) -> Attention:
    torch.manual_seed(1)
    module = Attention(48, num_heads=3, use_rel_pos=True, input_size=size)
    for table in (module.rel_pos_h, module.rel_pos_w):
        torch.nn.init.normal_(table, std=0.5)
    return module


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("attend", [bias_attention, augmented_attention, chunked_attention])
@pytest.mark.parametrize("scores", [1, 2**12, 2**17, 2**30], ids=["a-query", "queries", "grids", "all"])
def test_equals_segment_anything(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], attend: Callable[..., Tensor], scores: int
) -> None:
    monkeypatch.setattr(attention, "_SCORES", scores)
    monkeypatch.setattr(attention, "chunked_attention", attend)
    module = reference(size)
    tokens = torch.randn(4, *size, 48)
    torch.testing.assert_close(FastAttention(module)(tokens), module(tokens), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_equal_segment_anything(size: tuple[int, int]) -> None:
    module = reference(size)
    fast = FastAttention(module)
    tokens = torch.randn(2, *size, 48)
    weight = torch.randn(2, *size, 48)
    # A forward pass without gradients first: what it caches must serve training too.
    with torch.inference_mode():
        fast(tokens)

    def gradients(forward: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            loss = (forward(tokens) * weight).sum()
            return torch.autograd.grad(loss, list(module.parameters()))

    for ours, theirs in zip(gradients(fast), gradients(module), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * float(theirs.abs().max() + 1), rtol=0)


def test_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found relative-position tables of 9 and 17 .* 4x4"):
        FastAttention(reference((5, 9)))(torch.zeros(1, 4, 4, 48))

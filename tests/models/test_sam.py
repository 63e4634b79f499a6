"""Preprocessing against `segment_anything`'s, and the seeded weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.models.sam.architectures import SAM_MINI, SMALL, Architecture
from pedbench.models.sam.assembly import build_sam, preprocess, randomise


@pytest.mark.parametrize("size", [(320, 320), (320, 200), (1, 320)], ids=str)
def test_preprocess_equals_segment_anything(
    size: tuple[int, int], random_sam: Callable[[Architecture], Any]
) -> None:
    sam = random_sam(SAM_MINI)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    expected = sam.preprocess(torch.from_numpy(pixels).permute(2, 0, 1))[None]
    torch.testing.assert_close(preprocess(sam, pixels), expected, atol=0, rtol=0)
    floats = (pixels / 255).astype(np.float32)
    torch.testing.assert_close(preprocess(sam, floats), expected, atol=1e-6, rtol=0)


def test_preprocess_names_what_it_found(random_sam: Callable[[Architecture], Any]) -> None:
    sam = random_sam(SAM_MINI)
    with pytest.raises(ValueError, match=r"\[0, 1\], found 0 to 255"):
        preprocess(sam, np.array([[[0.0, 3.0, 255.0]]]))
    with pytest.raises(ValueError, match="found nan"):
        preprocess(sam, np.full((2, 2, 3), np.nan))
    with pytest.raises(ValueError, match=r"at most 320x320, found \(321, 4, 3\)"):
        preprocess(sam, np.zeros((321, 4, 3), np.uint8))
    with pytest.raises(ValueError, match=r"found torch\.int64"):
        preprocess(sam, np.zeros((3, 4, 3), np.int64))


def test_random_weights_depend_on_the_seed_alone() -> None:
    first, second, other = build_sam(SMALL), build_sam(SMALL), build_sam(SMALL)
    for sam, seed in ((first, 1), (second, 1), (other, 2)):
        randomise(sam, seed)
    states = [sam.state_dict() for sam in (first, second, other)]
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name])
        assert not torch.equal(tensor, states[2][name]), name

"""Window stage on single windows + global stage against the whole encoder of `segment_anything`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.models.sam.architectures import PED_MINI, SAM_MINI, SMALL, VIT_B, Architecture
from pedbench.models.sam.reorder import variant
from pedbench.models.sam.stages import GlobalStage, WindowStage, run_blocks, window_tiles
from pedbench.types import Picture

MakeSam = Callable[[Architecture], Any]
MakeReference = Callable[[Architecture, Any], Any]
MakePicture = Callable[[int, int], Picture]

PED_SMALL = SMALL.reordered("ped-small")
PED_VIT_B = VIT_B.reordered("ped-vit_b")


def embed_in_stages(sam: Any, frame: Picture) -> torch.Tensor:
    """One window at a time, and none of those that hold nothing of the frame."""
    stage, finish = WindowStage(sam.image_encoder), GlobalStage(sam.image_encoder)
    size = frame.shape[0], frame.shape[1]
    encoded = {}
    for window in stage.grid.active(size):
        crop = frame[stage.grid.tile(window, size).slices]
        (encoded[window],) = stage(stage.embed(window_tiles(sam, [crop])), [window])
    return finish(stage.assemble(encoded, size))


def embed_whole(sam: Any, frame: Picture) -> torch.Tensor:
    pixels = torch.from_numpy(np.rint(frame * 255)).permute(2, 0, 1)
    features: torch.Tensor = sam.image_encoder(sam.preprocess(pixels)[None])
    return features


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [PED_MINI, PED_SMALL], ids=lambda sizes: sizes.name)
@pytest.mark.parametrize("shape", [(1.0, 1.0), (0.75, 1.0), (1.0, 0.4)], ids=["square", "4:3", "tall"])
def test_stages_equal_the_whole_encoder(
    sizes: Architecture,
    shape: tuple[float, float],
    random_sam: MakeSam,
    reference_sam: MakeReference,
    picture: MakePicture,
) -> None:
    sam = random_sam(sizes)
    frame = picture(int(shape[0] * sizes.image_size), int(shape[1] * sizes.image_size))
    expected = embed_whole(reference_sam(sizes, sam), frame)
    torch.testing.assert_close(embed_in_stages(sam, frame), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.long
def test_stages_equal_the_whole_encoder_of_vit_b(
    random_sam: MakeSam, reference_sam: MakeReference, picture: MakePicture
) -> None:
    sam = random_sam(PED_VIT_B)
    reference = reference_sam(PED_VIT_B, sam)
    for size in ((1024, 1024), (768, 1024), (1024, 597)):
        frame = picture(*size)
        expected = embed_whole(reference, frame)
        torch.testing.assert_close(embed_in_stages(sam, frame), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["windowed", "dropped"])
def test_stages_of_networks_without_global_blocks(
    name: Any, random_sam: MakeSam, picture: MakePicture
) -> None:
    sam = variant(random_sam(SMALL), name)
    frame = picture(256, 200)
    torch.testing.assert_close(embed_in_stages(sam, frame), embed_whole(sam, frame), atol=1e-5, rtol=0)


def test_what_lies_in_the_padding_is_ignored(random_sam: MakeSam) -> None:
    stage = WindowStage(random_sam(PED_SMALL).image_encoder)
    windows = [(4, 4), (0, 4), (4, 0), (0, 0)]
    tokens = torch.randn(4, 14, 14, 32)
    encoded = stage(tokens, windows)
    for row, window in enumerate(windows):
        height, width = stage.grid.inside(window)
        tokens[row, height:] = torch.nan
        tokens[row, :, width:] = torch.nan
    assert torch.equal(stage(tokens, windows), encoded)


def test_a_window_does_not_depend_on_its_company(random_sam: MakeSam) -> None:
    stage = WindowStage(random_sam(PED_SMALL).image_encoder)
    windows = [(2, 3), (4, 1), (0, 0)]
    tokens = torch.randn(3, 14, 14, 32)
    alone = torch.cat([stage(tokens[[row]], [window]) for row, window in enumerate(windows)])
    torch.testing.assert_close(stage(tokens, windows), alone, atol=1e-5, rtol=0)


def test_run_blocks_is_a_piece_of_the_encoder(random_sam: MakeSam) -> None:
    encoder = random_sam(SAM_MINI).image_encoder
    pixels = torch.randn(1, 3, 320, 320)
    tokens = encoder.patch_embed(pixels) + encoder.pos_embed
    halfway = run_blocks(encoder, run_blocks(encoder, tokens, 0, 5), 5, 8)
    assert torch.equal(encoder.neck(halfway.permute(0, 3, 1, 2)), encoder(pixels))
    with pytest.raises(ValueError, match="found blocks 0 to 9 of an encoder that has 8"):
        run_blocks(encoder, tokens, 0, 9)


def test_gradients_pass_through_after_an_inference_pass(random_sam: MakeSam, picture: MakePicture) -> None:
    stage = WindowStage(random_sam(PED_MINI).image_encoder)
    windows = stage.grid.active((100, 100))
    with torch.inference_mode():
        encoded = stage(torch.zeros(len(windows), 4, 4, 192), windows)
        stage.assemble(dict(zip(windows, encoded, strict=True)), (100, 100))
    with torch.enable_grad():
        tokens = torch.zeros(len(windows), 4, 4, 192, requires_grad=True)
        encoded = stage(tokens, windows)
        grid = stage.assemble(dict(zip(windows, encoded, strict=True)), (100, 100))
        (gradient,) = torch.autograd.grad(grid.square().sum(), tokens)
    assert gradient.abs().max() > 0


def test_errors_name_the_cause(random_sam: MakeSam) -> None:
    with pytest.raises(ValueError, match=r"blocks \(3, 7\) of 8 are global.*re-order"):
        WindowStage(random_sam(SAM_MINI).image_encoder)
    stage = WindowStage(random_sam(PED_MINI).image_encoder)
    with pytest.raises(ValueError, match=r"no tokens for windows \[\(0, 1\)\]"):
        stage.assemble({(0, 0): torch.zeros(4, 4, 192)}, (64, 128))
    with pytest.raises(ValueError, match=r"expected \(1, 4, 4\) tokens"):
        stage(torch.zeros(2, 4, 4, 192), [(0, 0)])
    with pytest.raises(ValueError, match=r"expected \(n, 3, 64, 64\) tiles"):
        stage.embed(torch.zeros(1, 3, 64, 60))
    with pytest.raises(ValueError, match=r"\(0, 5\) does not lie"):
        stage(torch.zeros(1, 4, 4, 192), [(0, 5)])

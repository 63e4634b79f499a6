from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.base import Networks
from pedbench.models.sam.architectures import SMALL, Architecture
from pedbench.models.sam.assembly import build_sam, preprocess, randomise
from pedbench.models.sam.reorder import reorder
from pedbench.offload.operations.builtin import (
    EncodeImage,
    EncodeWindows,
    EncodeWindowTokens,
    load_operations,
)
from pedbench.offload.operations.payload_fields import holding, places, token_places
from pedbench.offload.operations.tiles import crop_tiles, cut_tiles, embed_windows, stages
from pedbench.pictures.frame import to_uint8
from pedbench.types import Patch, Picture, Tokens

Make = Callable[[tuple[int, int]], Picture]
ARGUMENTS = {"weights": "reordered", "reply": "float32"}
# The embedding has more channels than a patch has values, so that it can be inverted; windows reach beyond the grid.
WIDE = Architecture(
    name="wide",
    image_size=64,
    embed_dim=1024,
    depth=2,
    heads=4,
    global_blocks=(1,),
    window_size=3,
    neck_channels=16,
)


@dataclass
class One(Networks):
    sam: Any

    def network(self, weights: str) -> Any:
        return self.sam


def random_networks(architecture: Architecture, *, fast: bool = True) -> One:
    sam = build_sam(architecture, fast=fast)
    randomise(sam, 3)
    reorder(sam.image_encoder)
    return One(sam.requires_grad_(False))


@pytest.fixture(scope="module")
def small() -> One:
    return random_networks(SMALL)


@pytest.fixture(scope="module")
def wide_networks() -> One:
    return random_networks(WIDE)


def windows_payload(networks: One, pixels: Any, windows: list[tuple[int, int]]) -> dict[str, Any]:
    grid = stages(networks.sam)[0].grid
    return {
        "pixels": cut_tiles(pixels, windows, grid),
        "positions": np.array(windows, np.int32),
        "frame": np.array(pixels.shape[:2], np.int32),
    }


def tokens_payload(networks: One, pixels: Any, windows: list[tuple[int, int]], dtype: str) -> dict[str, Any]:
    tokens = embed_windows(networks.sam, pixels)
    payload = windows_payload(networks, pixels, windows)
    del payload["pixels"]
    return {"tokens": np.stack([tokens[window] for window in windows]).astype(dtype), **payload}


@pytest.mark.slow
@pytest.mark.parametrize("size", [(256, 256), (192, 256), (256, 113)])
@pytest.mark.parametrize("kind", ["pixels", "tokens"])
def test_windows_apart_equal_the_whole_encoder(
    picture: Make, small: One, size: tuple[int, int], kind: str
) -> None:
    pixels = to_uint8(picture(size))
    reference = build_sam(SMALL, fast=False)
    randomise(reference, 3)
    reorder(reference.image_encoder)
    stage, finish = stages(small.sam)
    encoded: dict[tuple[int, int], torch.Tensor] = {}
    windows = stage.grid.active(size)
    with torch.inference_mode():
        for part in (list(windows[::2]), list(windows[1::2])):
            if kind == "pixels":
                reply = EncodeWindows().run(windows_payload(small, pixels, part), ARGUMENTS, small)
            else:
                reply = EncodeWindowTokens().run(
                    tokens_payload(small, pixels, part, "float32"), ARGUMENTS, small
                )
            encoded.update(zip(part, torch.tensor(reply["tokens"]), strict=True))
        found = finish(stage.assemble(encoded, size))
        expected = reference.image_encoder(preprocess(reference, pixels))
    assert (found - expected).abs().max() < 1e-5


def paste(patches: Any, size: tuple[int, int]) -> Any:
    canvas = np.full((*size, 3), np.nan, np.float32)
    for patch in patches:
        height, width = patch.picture.shape[:2]
        canvas[patch.top : patch.top + height, patch.left : patch.left + width] = patch.picture
    return canvas


@pytest.mark.parametrize("size", [(256, 256), (192, 256), (256, 113)])
def test_all_windows_show_exactly_the_frame(picture: Make, small: One, size: tuple[int, int]) -> None:
    frame = picture(size)
    payload = windows_payload(small, to_uint8(frame), list(stages(small.sam)[0].grid.active(size)))
    seen = EncodeWindows().observe(payload, ARGUMENTS, small, 4, 1)
    assert np.array_equal(paste(seen, size), frame)
    assert {(patch.server, patch.request) for patch in seen} == {(4, 1)}
    (image,) = EncodeImage().observe({"pixels": to_uint8(frame)}, ARGUMENTS, small, 4, 1)
    assert np.array_equal(image.picture, frame)


@pytest.mark.parametrize(("dtype", "levels"), [("float32", 0.0), ("float16", 0.5)])
def test_wide_tokens_show_the_pixels(picture: Make, wide_networks: One, dtype: str, levels: float) -> None:
    frame = picture((40, 64))
    windows = list(stages(wide_networks.sam)[0].grid.active((40, 64)))
    payload = tokens_payload(wide_networks, to_uint8(frame), windows, dtype)
    seen = EncodeWindowTokens().observe(payload, ARGUMENTS, wide_networks, 0, 0)
    assert all(isinstance(item, Patch) for item in seen)
    assert np.abs(paste(seen, (40, 64)) - frame).mean() * 255 <= levels


def test_noisy_tokens_are_not_cut_to_eight_bits(picture: Make, wide_networks: One) -> None:
    grid = stages(wide_networks.sam)[0].grid
    windows = list(grid.active((40, 64)))
    payload = tokens_payload(wide_networks, to_uint8(picture((40, 64))), windows, "float32")
    noise = np.random.default_rng(0).normal(0, payload["tokens"].std(), payload["tokens"].shape)
    inside = holding(token_places(windows, grid), grid, (40, 64))
    payload["tokens"][inside] += noise[inside].astype(np.float32)
    (seen,) = EncodeWindowTokens().observe(payload, ARGUMENTS, wide_networks, 0, 0)
    assert isinstance(seen, Tokens)
    assert np.array_equal(seen.values, payload["tokens"][inside])


def test_narrow_tokens_stay_tokens_at_their_places(picture: Make, small: One) -> None:
    pixels = to_uint8(picture((192, 113)))
    # The windows in row 3 cover the frame's last 24 rows, those in column 2 a single column of pixels.
    payload = tokens_payload(small, pixels, [(0, 1), (3, 2)], "float16")
    (seen,) = EncodeWindowTokens().observe(payload, ARGUMENTS, small, 0, 0)
    assert isinstance(seen, Tokens)
    assert seen.depth == 0
    assert seen.values.shape == (14 * 14 + 6 * 1, 32)
    with torch.inference_mode():
        grid = small.sam.image_encoder.patch_embed(preprocess(small.sam, pixels))[0].numpy()
    assert np.allclose(seen.values, grid[tuple(seen.positions.T)], atol=2e-3, rtol=2e-3)


def test_content_beyond_the_frame_is_not_explained(picture: Make, small: One, wide_networks: One) -> None:
    pixels = to_uint8(picture((192, 113)))
    payload = windows_payload(small, pixels, [(3, 2)])
    payload["pixels"][0, -1, -1, 0] = 1
    with pytest.raises(ValueError, match="beyond the frame"):
        EncodeWindows().observe(payload, ARGUMENTS, small, 0, 0)
    for networks, dtype in ((small, "float16"), (wide_networks, "float32")):
        payload = tokens_payload(networks, to_uint8(picture((20, 20))), [(0, 0)], dtype)
        assert EncodeWindowTokens().observe(payload, ARGUMENTS, networks, 0, 0)
        payload["tokens"][0, -1, -1, 0] += 1
        with pytest.raises(ValueError, match="beyond the frame"):
            EncodeWindowTokens().observe(payload, ARGUMENTS, networks, 0, 0)


@pytest.mark.parametrize(
    ("windows", "frame"),
    [
        ([(0, 1), (0, 0)], (256, 256)),
        ([(0, 0), (0, 0)], (256, 256)),
        ([(0, 5)], (256, 256)),
        ([(-1, 0)], (256, 256)),
        ([(4, 0)], (200, 256)),
        ([(0, 0)], (257, 256)),
        ([(0, 0)], (0, 256)),
        (np.zeros((0, 2)), (256, 256)),
    ],
)
def test_places_must_be_possible(small: One, windows: Any, frame: tuple[int, int]) -> None:
    payload = {"positions": np.array(windows, np.int32), "frame": np.array(frame, np.int32)}
    with pytest.raises(ValueError, match=r"expected|does not lie"):
        places(payload, stages(small.sam)[0].grid)


def test_too_large_numbers_do_not_become_infinite(picture: Make, small: One) -> None:
    payload = tokens_payload(small, to_uint8(picture((20, 20))), [(0, 0)], "float32")
    payload["tokens"][:] = 3e5
    with torch.inference_mode(), pytest.raises(FloatingPointError):
        EncodeWindowTokens().run(payload, {**ARGUMENTS, "reply": "float16"}, small)


def test_tiles_come_apart_and_together(picture: Make, small: One) -> None:
    pixels = to_uint8(picture((100, 60)))
    grid = stages(small.sam)[0].grid
    windows = grid.active((100, 60))
    crops = crop_tiles(cut_tiles(pixels, windows, grid), windows, grid, (100, 60))
    for window, crop in zip(windows, crops, strict=True):
        assert np.array_equal(crop, pixels[grid.tile(window, (100, 60)).slices])


def test_own_operations_are_found_by_module() -> None:
    builtin = {"encode_image", "encode_windows", "encode_window_tokens", "encode_redacted"}
    assert builtin | {"start_windows", "run_blocks", "finish_blocks"} == set(load_operations())
    assert {"echo", "opaque"} < set(load_operations(["own_operations", "own_operations"]))
    with pytest.raises(ValueError, match="no operation"):
        load_operations(["json"])

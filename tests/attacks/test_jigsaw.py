"""Shuffled windows put in order: shares of windows that come to their place."""

from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.inversion.jigsaw import Place, assemble
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.pictures.frame import from_uint8
from pedbench.plugins.attacks.jigsaw import Jigsaw
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.scenes.render import render
from pedbench.types import Patch, Picture, Tokens, View

SHAPES = {"25 windows": (320, 320), "4x5 windows": (240, 320)}


@cache
def _scenes(size: tuple[int, int], count: int) -> tuple[Picture, ...]:
    frames = (from_uint8(render(2, index, "val").image) for index in range(200))
    fitting = (frame for frame in frames if frame.shape[:2] == size)
    return tuple(next(fitting) for _ in range(count))


def _cells(size: tuple[int, int], side: int) -> list[Place]:
    (height, width) = size
    return [
        Place(top, left, min(side, height - top), min(side, width - left))
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


def _shuffle(places: list[Place], rng: np.random.Generator) -> dict[Place, Place]:
    """Each place's false one, of the same size."""
    alike = defaultdict(list)
    for place in places:
        alike[place[2:]].append(place)
    return {
        place: group[index]
        for group in alike.values()
        for place, index in zip(group, rng.permutation(len(group)), strict=True)
    }


def _cut(frame: Picture, place: Place) -> Picture:
    return frame[place.top : place.top + place.height, place.left : place.left + place.width]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_borders_put_a_full_set_in_order(shape: str) -> None:
    size, rng, shares = SHAPES[shape], np.random.default_rng(0), []
    places = _cells(size, 64)
    for frame in _scenes(size, 3):
        false = _shuffle(places, rng)
        patches = tuple(
            Patch(picture=_cut(frame, place), top=false[place].top, left=false[place].left, server=0)
            for place in places
        )
        view = View(
            frame_size=size,
            degraded=patches,
            description={"defense": "window_shuffle"},
            prior=load_prior(),
        )
        guess = Jigsaw().reconstruct(view, rng)
        right = [np.array_equal(_cut(guess, place), _cut(frame, place)) for place in places]
        shares.append(np.mean(right))
    assert np.mean(shares) >= 0.9


def _tokens(frame: Picture, rng: np.random.Generator, embedded: bool) -> tuple[View, View]:
    """The same tokens at false places and at the true ones."""
    network = load_network(MINI, "original")
    encoder = network.image_encoder
    with torch.inference_mode():
        pixels = torch.tensor(np.rint(frame * 255).astype(np.uint8))
        grid: Any = encoder.patch_embed(preprocess(network, pixels))
        grid = (grid + encoder.pos_embed if embedded else grid)[0].numpy()
    height, width = frame.shape[0] // 16, frame.shape[1] // 16
    values, stated, true = [], [], []
    for place, false in _shuffle(_cells((height, width), 4), rng).items():
        rows, columns = np.mgrid[: place.height, : place.width]
        offsets = np.stack([rows.ravel(), columns.ravel()], axis=1)
        true.append(offsets + place[:2])
        stated.append(offsets + false[:2])
        values.append(grid[true[-1][:, 0], true[-1][:, 1]])

    def view(defense: str, positions: list[Any]) -> View:
        tokens = Tokens(values=np.concatenate(values), positions=np.concatenate(positions), depth=0, server=0)
        return View(
            frame_size=(frame.shape[0], frame.shape[1]),
            tokens=(tokens,),
            description={"defense": defense, "family": "mini", "params": {"weights": "original"}},
            prior=load_prior(),
        )

    return view("window_shuffle", stated), view("ped_sam", true)


@pytest.mark.slow
@pytest.mark.parametrize("embedded", [True, False], ids=["by position embedding", "by borders"])
@pytest.mark.parametrize("shape", SHAPES)
def test_tokens_are_put_in_order(shape: str, embedded: bool) -> None:
    rng = np.random.default_rng(0)
    frame = _scenes(SHAPES[shape], 1)[0]
    shuffled, ordered = _tokens(frame, rng, embedded)
    guess = Jigsaw().reconstruct(shuffled, rng)
    best = PatchInversion().reconstruct(ordered, rng)
    places = _cells(SHAPES[shape], 64)
    right = [np.abs(_cut(guess, place) - _cut(best, place)).mean() < 0.01 for place in places]
    assert np.mean(right) >= (1.0 if embedded else 0.8)


def test_windows_that_do_not_touch_stay_apart() -> None:
    places = [Place(0, 0, 8, 8), Place(16, 16, 8, 8), Place(16, 0, 8, 4)]
    tiles = [np.full((8, wide, 3), level, np.float32) for wide, level in ((4, 0.1), (8, 0.2), (8, 0.3))]
    found = assemble(tiles, places, np.random.default_rng(0)).places
    assert found[0] == 2
    assert sorted(found) == [0, 1, 2]


def test_what_is_not_shuffled_stays() -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((64, 64, 3), dtype=np.float32)
    patches = tuple(
        Patch(picture=noise[top : top + 32, :32], top=top, left=left, server=0)
        for top, left in ((0, 32), (32, 0))
    )
    view = View(frame_size=(64, 64), degraded=patches, description={"defense": "jpeg"}, prior=load_prior())
    guess = Jigsaw().reconstruct(view, rng)
    assert np.array_equal(guess[:32, 32:], noise[:32, :32])
    assert np.array_equal(guess[32:, :32], noise[32:, :32])


def test_tiles_of_other_sizes_are_refused() -> None:
    tiles = [np.zeros((8, 6, 3), np.float32)] * 2
    with pytest.raises(ValueError, match="tiles of the places' sizes"):
        assemble(tiles, _cells((8, 16), 8), np.random.default_rng(0))

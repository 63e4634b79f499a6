"""Scrambled blocks put in order: shares of blocks that come to their place in the right orientation."""

import numpy as np
import pytest
from scipy import ndimage

from pedbench.adversary.prior import load_prior
from pedbench.inversion.jigsaw import Place, assemble
from pedbench.inversion.scrambled_blocks import uprightness
from pedbench.pictures.blocks import blocks, orient, orientations, scramble
from pedbench.pictures.frame import from_uint8
from pedbench.plugins.attacks.jigsaw import Jigsaw
from pedbench.scenes.render import render
from pedbench.types import Patch, Picture, View

SIDE = 40


def _smooth(height: int, width: int) -> Picture:
    """Noise without fine detail, in which each border has one continuation."""
    noise = np.random.default_rng(3).standard_normal((height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (8, 8, 0))
    picture: Picture = ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)
    return picture


def _error(guess: Picture, truth: Picture) -> float:
    """Share of blocks that differ from the truth, for the orientation of the frame with the fewest."""
    size = (truth.shape[0], truth.shape[1])
    return min(
        float(
            np.mean(
                [
                    not np.allclose(orient(guess, whole)[tile.slices], truth[tile.slices], atol=1e-6)
                    for tile in blocks(size, SIDE)
                ]
            )
        )
        for whole in orientations(size, mirror=True)
    )


def _view(scrambled: Picture, mirror: bool) -> View:
    return View(
        frame_size=(scrambled.shape[0], scrambled.shape[1]),
        degraded=(Patch(picture=scrambled, top=0, left=0, server=0),),
        description={"defense": "block_scramble", "params": {"block": 0.125, "mirror": mirror}},
        prior=load_prior(),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "mirror"),
    [((240, 320), False), ((220, 320), False), ((320, 320), False), ((240, 320), True)],
    ids=str,
)
def test_a_smooth_picture_comes_back(size: tuple[int, int], mirror: bool) -> None:
    truth = _smooth(*size)
    scrambled = scramble(truth, SIDE, mirror, np.random.default_rng(0))
    guess = Jigsaw().reconstruct(_view(scrambled, mirror), np.random.default_rng(0))
    assert _error(scrambled, truth) > 0.8
    assert _error(guess, truth) == 0


@pytest.mark.slow
def test_scenes_come_back_upright() -> None:
    errors, gains = [], []
    for index in (1, 2, 4):
        truth = from_uint8(render(2, index, "val").image)
        scrambled = scramble(truth, SIDE, False, np.random.default_rng(index))
        guess = Jigsaw().reconstruct(_view(scrambled, False), np.random.default_rng(0))
        errors.append(_error(guess, truth))
        gains.append(np.square(guess - truth).mean() / np.square(scrambled - truth).mean())
    assert np.mean(errors) < 0.1
    assert np.median(gains) < 0.1


def test_pieces_that_are_not_turned_need_no_turn() -> None:
    truth = _smooth(16, 24)
    tiles = blocks((16, 24), 8)
    places = [Place(tile.top, tile.left, tile.height, tile.width) for tile in tiles]
    pieces = [truth[tile.slices] for tile in tiles]
    found = assemble(pieces[::-1], places, np.random.default_rng(0))
    assert found.orientations == [0] * 6
    assert found.places == [5, 4, 3, 2, 1, 0]


def test_upright_scenes_look_upright() -> None:
    known = load_prior().pictures
    frames = [from_uint8(render(1, index, "train").image) for index in range(600, 620)]
    right = [uprightness(frame, known) > uprightness(frame[::-1, ::-1], known) for frame in frames]
    assert np.mean(right) >= 0.7

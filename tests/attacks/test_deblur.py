"""Known degradations undone: gains on scenes, and the estimate against its definition."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pedbench.base import Defense
from pedbench.errors import CheckpointError
from pedbench.inversion.deconvolution import (
    QUANTISATION,
    block_operator,
    blur_operator,
    resolution_operator,
    wiener,
)
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.plugins.attacks.deblur import Deblur
from pedbench.plugins.defenses.downsample import Downsample
from pedbench.plugins.defenses.dp_pixelate import DpPixelate
from pedbench.plugins.defenses.gaussian_blur import GaussianBlur
from pedbench.plugins.defenses.pixelate import Pixelate
from pedbench.scenes.render import render
from pedbench.types import Patch, Picture, Prior, View


class _Edge:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def preparing(self) -> AbstractContextManager[None]:
        return nullcontext()


class _Server:
    """Keeps what it is sent, as the wire carries it."""

    def __getitem__(self, index: int) -> "_Server":
        return self

    def encode_image(self, picture: Picture, weights: str) -> None:
        self.received = from_uint8(to_uint8(picture))


@cache
def _scenes() -> tuple[Picture, ...]:
    training = [render(1, index, "train").image for index in range(4)]
    validation = [render(2, index, "val").image for index in range(4)]
    return tuple(from_uint8(image) for image in (*training, *validation))


def _view(defense: Defense, frame: Picture) -> View:
    server = _Server()
    defense.embed(frame, cast(Any, _Edge()), cast(Any, server))
    return View(
        frame_size=(frame.shape[0], frame.shape[1]),
        degraded=(Patch(picture=server.received, top=0, left=0, server=0),),
        description={"defense": defense.name, "params": defense.params},
        prior=Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=()),
    )


def _psnr(guess: Picture, truth: Picture) -> float:
    return float(-10 * np.log10(np.square(guess - truth).mean(dtype=np.float64)))


def _gains(attack: Deblur, defense: Defense, scenes: tuple[Picture, ...]) -> Iterator[float]:
    for frame in scenes:
        view = _view(defense, frame)
        guess = attack.reconstruct(view, np.random.default_rng(0))
        yield _psnr(guess, frame) - _psnr(view.degraded[0].picture, frame)


@pytest.mark.slow
def test_the_whole_frame_gains_at_the_default_blur() -> None:
    gains = list(_gains(Deblur(), GaussianBlur(), _scenes()))
    assert min(gains) > 1.5
    assert np.mean(gains) > 3


@pytest.mark.slow
def test_richardson_lucy_gains_less() -> None:
    scenes = _scenes()[:2]
    slow = Deblur(method="richardson_lucy", iterations=30)
    for gain, best in zip(
        _gains(slow, GaussianBlur(), scenes), _gains(Deblur(), GaussianBlur(), scenes), strict=True
    ):
        assert 0.5 < gain < best


def test_blocks_become_a_better_picture_than_by_interpolation() -> None:
    frame = _scenes()[0]
    view = _view(Pixelate(), frame)
    blocks = to_uint8(view.degraded[0].picture)[::8, ::8]
    smooth = Image.fromarray(blocks).resize((frame.shape[1], frame.shape[0]), Image.Resampling.BICUBIC)
    guess = Deblur().reconstruct(view, np.random.default_rng(0))
    assert _psnr(guess, frame) > _psnr(from_uint8(np.asarray(smooth)), frame)


def test_lost_resolution_is_partly_regained() -> None:
    assert min(_gains(Deblur(), Downsample(), _scenes()[:3])) > 0.2


def test_a_large_epsilon_protects_no_more_than_pixelation_and_a_small_one_more() -> None:
    scenes = _scenes()[:2]

    def quality(defense: Defense) -> list[float]:
        guesses = [Deblur().reconstruct(_view(defense, frame), np.random.default_rng(0)) for frame in scenes]
        return [_psnr(guess, frame) for guess, frame in zip(guesses, scenes, strict=True)]

    blocks = quality(Pixelate(block=0.05))
    np.testing.assert_allclose(quality(DpPixelate(epsilon=1e4)), blocks, atol=0.05)
    assert max(np.subtract(quality(DpPixelate(epsilon=1.0)), blocks)) < -1
    # The linear estimate knows the noise, and takes much of it off.
    assert min(_gains(Deblur(), DpPixelate(epsilon=1.0), scenes)) > 1


def test_operators_are_the_defenses() -> None:
    frame = np.random.default_rng(0).random((21, 34))
    blurred = blur_operator(21, 2.5) @ frame @ blur_operator(34, 2.5).T
    np.testing.assert_allclose(blurred, ndimage.gaussian_filter(frame, 2.5, mode="nearest"), atol=1e-12)
    expected = np.asarray(
        Image.fromarray(frame.astype(np.float32))
        .resize((9, 5), Image.Resampling.BICUBIC)
        .resize((34, 21), Image.Resampling.BICUBIC)
    )
    reduced = resolution_operator(21, 5) @ frame @ resolution_operator(34, 9).T
    np.testing.assert_allclose(reduced, expected, atol=1e-5)
    corner = (block_operator(21, 8) @ frame @ block_operator(34, 8).T)[2, 4]
    assert corner == pytest.approx(frame[16:, 32:].mean())


def test_wiener_is_the_conditional_mean_of_a_gaussian_field() -> None:
    height, width, noise, correlation = 9, 7, 1e-4, 3.0
    degraded = np.random.default_rng(0).uniform(0.3, 0.7, (height, width, 3)).astype(np.float32)
    rows, columns = blur_operator(height, 1.1), blur_operator(width, 1.1)
    guess = wiener(degraded, rows, columns, correlation, noise)
    places = np.indices((height, width)).reshape(2, -1).T
    distances = np.abs(places[:, None] - places[None]).sum(axis=2)
    blur = np.kron(rows, columns)
    for channel in range(3):
        plane = degraded[..., channel].astype(np.float64)
        covariance = (plane.var() - noise) * np.exp(-distances / correlation)
        observed = blur @ covariance @ blur.T + (noise + QUANTISATION) * np.eye(height * width)
        expected = plane.mean() + covariance @ blur.T @ np.linalg.solve(
            observed, plane.ravel() - plane.mean()
        )
        np.testing.assert_allclose(guess[..., channel].ravel(), expected.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("defense", [GaussianBlur(), Pixelate(), Downsample()])
def test_the_network_gains_over_the_linear_estimate(defense: Defense) -> None:
    scenes, learned = _scenes()[4:], Deblur(method="learned")
    learned.prepare("cpu")
    linear = list(_gains(Deblur(), defense, scenes))
    found = list(_gains(learned, defense, scenes))
    assert np.mean(np.subtract(found, linear)) > 0.5
    assert learned.knowledge.startswith("deblur-mini: 6000 scenes (train)")
    assert Deblur().knowledge == ""


def test_the_network_sees_pictures_of_any_size() -> None:
    learned = Deblur(method="learned")
    learned.prepare("cpu")
    frame = _scenes()[4][:51, :83]
    guess = learned.reconstruct(_view(GaussianBlur(sigma=0.02), frame), np.random.default_rng(0))
    assert guess.shape == frame.shape
    assert guess.min() >= 0
    assert guess.max() <= 1


@pytest.mark.parametrize(
    ("model", "message"),
    [("nowhere", "pedbench train nowhere"), ("decoder-ped-mini", "found no sharpening network")],
)
def test_other_weights_are_refused(model: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Deblur(method="learned", model=model).prepare("cpu")


def test_what_was_degraded_otherwise_stays() -> None:
    view = _view(GaussianBlur(), _scenes()[0])
    unknown = View(frame_size=view.frame_size, degraded=view.degraded, prior=view.prior)
    guess = Deblur().reconstruct(unknown, np.random.default_rng(0))
    assert np.array_equal(guess, view.degraded[0].picture)


@pytest.mark.parametrize("params", [{"method": "magic"}, {"iterations": 0}])
def test_bad_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"method is 'magic'|iterations is at least 1"):
        Deblur(**params)

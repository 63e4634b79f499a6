"""Confidence of what attacks read from payloads, and the completion of it."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.base import Attack, ReadOutAttack
from pedbench.inversion.jigsaw import Place, assemble
from pedbench.inversion.read_out import DEGRADED, LEAST, ReadPatch, nearest_known, reading
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.window_blocks import add_positions
from pedbench.offload.operations.tiles import embed_windows
from pedbench.offload.passes.assignment import assign, shuffle_alike
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.plugins.attacks.accumulate import Accumulate
from pedbench.plugins.attacks.averaging import Averaging
from pedbench.plugins.attacks.completion import Completion
from pedbench.plugins.attacks.deblur import Deblur
from pedbench.plugins.attacks.jigsaw import Jigsaw
from pedbench.plugins.attacks.patch_inversion import PatchInversion
from pedbench.plugins.attacks.read_degraded import ReadDegraded
from pedbench.plugins.attacks.token_inversion import TokenInversion
from pedbench.scenes.render import render
from pedbench.types import SURE, Patch, Picture, Prior, Tokens, View, Window

GRID = SAM_MINI.grid
GREY = Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=())


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _patch(level: float, top: int, left: int, size: tuple[int, int] = (4, 4), request: int = 0) -> Patch:
    picture = np.full((*size, 3), level, np.float32)
    return Patch(picture=picture, top=top, left=left, server=0, request=request)


def test_exact_pixels_lie_over_read_ones_and_those_over_degraded_ones() -> None:
    view = View(
        frame_size=(8, 12), patches=(_patch(0.1, 0, 0),), degraded=(_patch(0.3, 0, 0, (8, 12)),), prior=GREY
    )
    read = [ReadPatch(_patch(0.2, 0, 0, (4, 8)), 0.6), ReadPatch(_patch(0.4, 4, 0), -1)]
    found = reading(view, read)
    assert found.picture[0, [0, 4, 8], 0].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert found.confidence[0, [0, 4, 8]].tolist() == pytest.approx([1, 0.6, DEGRADED])
    assert found.confidence[4, 0] == pytest.approx(LEAST)
    assert not reading(view.blind()).confidence.any()


def test_a_moving_camera_shows_the_first_request_alone() -> None:
    degraded = (_patch(0.3, 0, 0), _patch(0.7, 4, 4, request=1))
    found = reading(View(frame_size=(8, 8), degraded=degraded, prior=GREY, moves=True))
    assert (found.confidence > 0).sum() == 16


def test_the_nearest_known_pixel_lends_its_colour() -> None:
    picture = np.arange(4, dtype=np.float32).reshape(1, 4, 1).repeat(3, axis=2) * np.float32(0.25)
    known = np.array([[True, False, False, True]])
    assert nearest_known(picture, known, GREY.mean_colour)[0, :, 0].tolist() == [0, 0, 0.75, 0.75]
    assert (nearest_known(picture, known & False, GREY.mean_colour) == 0.5).all()


@pytest.mark.parametrize("attack", [ReadDegraded(), Deblur(), Averaging(), Jigsaw()], ids=lambda a: a.name)
def test_a_degraded_frame_leaves_nothing_to_complete(attack: ReadOutAttack) -> None:
    view = View(frame_size=(8, 12), degraded=(_patch(0.3, 0, 0, (8, 12)),), prior=GREY)
    assert (attack.read_out(view, _rng()).confidence >= SURE).all()


def test_holes_between_accumulated_windows_are_not_read() -> None:
    patches = (_patch(0.1, 0, 0), _patch(0.9, 4, 4, request=1))
    found = Accumulate().read_out(View(frame_size=(8, 8), patches=patches, prior=GREY), _rng())
    sure = found.confidence >= SURE
    assert sure.sum() == 32
    assert (found.confidence[sure] == 1).all()


@cache
def _scene(index: int) -> Picture:
    return from_uint8(render(2, index, "val").image)


@cache
def _network() -> Any:
    return load_network(MINI, "fine-tuned")


def _view(frame: Picture, defense: str, **content: Any) -> View:
    return View(
        frame_size=(frame.shape[0], frame.shape[1]),
        prior=load_prior(),
        description={"defense": defense, "family": "mini", "params": {"weights": "fine-tuned"}},
        **content,
    )


def _windows(frame: Picture, server: int) -> tuple[Window, ...]:
    """Return the windows of one of 3 servers."""
    return assign("dispersed", sorted(GRID.active(frame.shape[:2])), 3, _rng())[server]


def _tokens(frame: Picture, values: list[Any], windows: tuple[Window, ...]) -> Tokens:
    """Place (16, C) values of each window, and leave out tokens beyond the frame."""
    places = np.concatenate(
        [np.indices((4, 4)).reshape(2, -1).T + 4 * np.array(window) for window in windows]
    )
    inside = (places * 16 < frame.shape[:2]).all(axis=1)
    together = np.concatenate([np.reshape(value, (16, -1)) for value in values]).astype(np.float32)
    return Tokens(values=together[inside], positions=places[inside], depth=0, server=0)


def _noisy(frame: Picture, server: int, sigma: float) -> View:
    embedded = embed_windows(_network(), to_uint8(frame))
    windows, rng = _windows(frame, server), _rng()
    weight = _network().image_encoder.patch_embed.proj.weight.flatten(1)
    scale = sigma * float(weight.square().sum(dim=1).mean().sqrt())
    values = [embedded[window] + rng.normal(0, scale, np.shape(embedded[window])) for window in windows]
    return _view(frame, "token_noise", tokens=(_tokens(frame, values, windows),))


def _shuffled(frame: Picture, server: int) -> View:
    embedded, windows = embed_windows(_network(), to_uint8(frame)), _windows(frame, server)
    order = shuffle_alike(windows, (frame.shape[0], frame.shape[1]), GRID, _rng())
    values = torch.tensor(np.stack([embedded[window] for window in order]))
    placed = add_positions(_network().image_encoder, values, order, GRID).detach().numpy()
    return _view(frame, "window_shuffle", tokens=(_tokens(frame, [*placed], windows),))


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.0, 1.0, 4.0])
def test_confidence_is_the_share_of_variance_that_tokens_explain(sigma: float) -> None:
    expected, actual = [], []
    for index in range(3):
        frame = _scene(index)
        found = PatchInversion().read_out(_noisy(frame, 0, sigma), _rng())
        read = found.confidence > 0
        expected.append(found.confidence[read].mean())
        prior = np.concatenate([picture.reshape(-1, 3) for picture in load_prior().pictures]).var(axis=0)
        actual.append(1 - np.square(found.picture - frame)[read].mean() / prior.mean())
    assert np.mean(expected) == pytest.approx(np.mean(actual), abs=0.05)


def test_the_pseudo_inverse_is_less_sure_of_pixels() -> None:
    view = _noisy(_scene(0), 0, 0.0)
    inverted = PatchInversion(estimator="pseudo_inverse").read_out(view, _rng())
    assert inverted.confidence.max() == pytest.approx(LEAST)


def test_windows_in_a_sure_place_are_as_sure_as_their_tokens() -> None:
    found = Jigsaw().read_out(_shuffled(_scene(0), 0), _rng())
    read = found.confidence > 0
    assert found.confidence[read].min() > 0.95


def test_tiles_without_neighbours_have_no_sure_place() -> None:
    tiles = [np.full((8, 8, 3), level, np.float32) for level in (0.1, 0.2, 0.3, 0.4)]
    places = [Place(top, left, 8, 8) for top in (0, 16) for left in (0, 16)]
    assert assemble(tiles, places, _rng()).probability == pytest.approx([1 / 4] * 4)


def test_tiles_that_continue_each_other_have_a_sure_place() -> None:
    places = [Place(top, left, 64, 64) for top in range(0, 192, 64) for left in range(0, 192, 64)]
    tiles = [_scene(0)[place.top :, place.left :][:64, :64] for place in places]
    order = assemble(tiles, places, _rng())
    assert order.places == [*range(9)]
    assert min(order.probability) > 0.9


def test_token_inversion_reads_the_places_of_tokens_alone() -> None:
    frame = _scene(0)
    view = _noisy(frame, 0, 0.0)
    found = TokenInversion(steps=2).read_out(view, _rng())
    sure = found.confidence >= SURE
    received = np.zeros(sure.shape, np.bool_)
    for window in _windows(frame, 0):
        received[GRID.tile(window, (frame.shape[0], frame.shape[1])).slices] = True
    assert sure[received].mean() > 0.9
    assert not sure[~received].any()


def _leakage(guess: Picture, frame: Picture) -> float:
    error, blind = guess.astype(np.float64) - frame, load_prior().mean_colour - frame
    return float(1 - np.sqrt(np.square(error).mean() / np.square(blind).mean()))


def _completed(attack: ReadOutAttack, view: View, frame: Picture) -> tuple[float, float]:
    """Return the leakage of a reading and that of its completion, which keeps what is sure."""
    completion: Attack = Completion()
    completion.prepare("cpu")
    found = attack.read_out(view, _rng())
    guess = completion.reconstruct(View(**{**vars(view), "reading": found}), _rng())
    sure = found.confidence >= SURE
    np.testing.assert_array_equal(guess[sure], found.picture[sure])
    return _leakage(attack.reconstruct(view, _rng()), frame), _leakage(guess, frame)


@pytest.mark.slow
def test_completion_makes_of_tokens_nearly_what_it_makes_of_pixels() -> None:
    rows = []
    for index in range(3):
        frame = _scene(index)
        tiles = [GRID.tile(window, (frame.shape[0], frame.shape[1])) for window in _windows(frame, 0)]
        patches = tuple(
            Patch(picture=frame[tile.slices], top=tile.top, left=tile.left, server=0) for tile in tiles
        )
        completion = Completion()
        completion.prepare("cpu")
        pixels = cast("Picture", completion.reconstruct(_view(frame, "ped_sam", patches=patches), _rng()))
        inverted, completed = _completed(PatchInversion(), _noisy(frame, 0, 0.0), frame)
        rows.append(
            (
                _leakage(pixels, frame),
                completed,
                inverted,
                _completed(Jigsaw(), _shuffled(frame, 0), frame)[1],
                *_completed(PatchInversion(), _noisy(frame, 0, 10.0), frame),
            )
        )
    pixels, completed, inverted, shuffled, noisy, completed_noisy = np.mean(rows, axis=0).tolist()
    assert completed == pytest.approx(pixels, abs=0.02)
    assert shuffled == pytest.approx(completed, abs=0.01)
    assert completed > inverted + 0.1
    assert completed_noisy > noisy

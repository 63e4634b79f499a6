"""What a coalition has seen of a still scene after some requests."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pedbench.inversion.panning import placed_patches
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.offload.passes.assignment import assign
from pedbench.plugins.attacks.accumulate import Accumulate
from pedbench.types import Patch, Picture, Prior, View, Window

FRAME = (320, 320)
GRID = SAM_MINI.grid
PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


def _view(frame: Picture, requests: int, coalition: tuple[int, ...], rng: np.random.Generator) -> View:
    patches = []
    for request in range(requests):
        dealt = assign("random", GRID.windows, 5, rng)
        for server in coalition:
            for window in dealt[server]:
                tile = GRID.tile(window, FRAME)
                patches.append(
                    Patch(
                        picture=frame[tile.slices],
                        top=tile.top,
                        left=tile.left,
                        server=server,
                        request=request,
                    )
                )
    return View(frame_size=FRAME, patches=tuple(patches), prior=PRIOR)


@pytest.mark.parametrize(("requests", "coalition"), [(1, (0,)), (4, (0,)), (4, (1, 3)), (8, (2,))])
def test_coverage_grows_as_the_formula_says(requests: int, coalition: tuple[int, ...]) -> None:
    frame, rng = np.zeros((*FRAME, 3), np.float32), np.random.default_rng(requests)
    covered = [_view(frame, requests, coalition, rng).canvas()[1].mean() for _ in range(150)]
    share = len(coalition) / 5
    assert np.mean(covered) == pytest.approx(1 - (1 - share) ** requests, abs=0.02)


def test_all_that_came_is_kept_and_holes_take_the_nearest_pixel() -> None:
    rng = np.random.default_rng(0)
    frame = rng.random((*FRAME, 3), dtype=np.float32)
    view = _view(frame, 4, (0,), rng)
    guess = Accumulate().reconstruct(view, rng)
    _, seen = view.canvas()
    assert np.array_equal(guess[seen], frame[seen])
    assert set(map(bytes, guess[~seen])) <= set(map(bytes, frame[seen]))
    assert np.allclose(Accumulate().reconstruct(view.blind(), rng), PRIOR.mean_colour)


WAY = ((0, 0), (3, 20), (-5, 41), (-5, 70))
"""Where the camera looks at each request: its first row and column, less those of the first request."""


def _panned(world: Picture, windows: Sequence[Window]) -> View:
    """What one server holds that gets the same windows of each frame."""
    patches = [
        Patch(
            picture=world[20 + down : 340 + down, 20 + right : 340 + right][tile.slices],
            top=tile.top,
            left=tile.left,
            server=0,
            request=request,
        )
        for request, (down, right) in enumerate(WAY)
        for tile in (GRID.tile(window, FRAME) for window in windows)
    ]
    return View(frame_size=FRAME, patches=tuple(patches), prior=PRIOR, moves=True)


def _world() -> Picture:
    noise = np.random.default_rng(1).random((360, 420, 3))
    smooth: Picture = gaussian_filter(noise, (4, 4, 0)).astype(np.float32)
    return smooth


def test_a_panning_camera_carries_the_scene_past_fixed_windows() -> None:
    world, windows = _world(), [window for window in GRID.windows if sum(window) % 3 == 0]
    view = _panned(world, windows)
    frame = world[20:340, 20:340]
    expected = np.zeros(FRAME, np.bool_)
    for down, right in WAY:
        for window in windows:
            tile = GRID.tile(window, FRAME)
            rows = slice(max(0, tile.top + down), max(0, tile.top + down + 64))
            expected[rows, tile.left + right : tile.left + right + 64] = True
    placed = replace(view, patches=placed_patches(view), moves=False)
    canvas, seen = placed.canvas()
    assert np.array_equal(seen, expected)
    assert np.array_equal(canvas[seen], frame[seen])
    alone, once = view.canvas()
    assert seen.mean() > 1.9 * once.mean()
    assert np.array_equal(alone[once], frame[once])
    guess = Accumulate().reconstruct(view, np.random.default_rng(0))
    assert np.array_equal(guess[seen], frame[seen])


def test_a_request_that_shows_something_else_is_left_out() -> None:
    world = _world()
    view = _panned(world, GRID.windows[::2])
    strange = [replace(p, picture=1 - p.picture) if p.request == 2 else p for p in view.patches]
    placed = placed_patches(replace(view, patches=tuple(strange)))
    assert {patch.request for patch in placed} == {0, 1, 3}
    canvas, seen = replace(view, patches=placed, moves=False).canvas()
    assert np.array_equal(canvas[seen], world[20:340, 20:340][seen])
    assert placed_patches(replace(view, patches=())) == ()


def test_no_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="requests is at least 1, found 0"):
        Accumulate(requests=0)

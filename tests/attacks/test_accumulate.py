"""What a coalition has seen of a still scene after some requests."""

import numpy as np
import pytest

from pedbench.models.architectures import SAM_MINI
from pedbench.offload.assignment import assign
from pedbench.plugins.attacks.accumulate import Accumulate
from pedbench.types import Patch, Picture, Prior, View

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


def test_no_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="requests is at least 1, found 0"):
        Accumulate(requests=0)

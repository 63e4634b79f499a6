"""Choice among the pictures that a service painted; the requests themselves are tested in tests/adversary."""

import numpy as np
import pytest

from pedbench.inversion.read_out import fill_with_nearest
from pedbench.plugins.attacks.hosted_inpaint import HostedInpaint
from pedbench.types import Patch, Prior, View


def test_the_sample_that_continues_the_visible_part_is_chosen() -> None:
    ramp = np.linspace(0, 1, 40, dtype=np.float32)
    frame = np.broadcast_to(ramp[None, :, None], (30, 40, 3)).copy()
    view = View(
        frame_size=(30, 40),
        patches=(Patch(picture=frame[:, :20], top=0, left=0, server=0),),
        prior=Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=()),
    )
    wrong = [frame.copy(), frame.copy()]
    wrong[0][:, 20:] = 1 - frame[:, 20:][:, ::-1]
    wrong[1][:, 20:] += 0.2 * (1 - frame[:, 20:])
    for place in range(3):
        samples = (*wrong[:place], frame, *wrong[place:])
        guess = HostedInpaint().reconstruct(
            View(**(vars(view) | {"paintings": samples})), np.random.default_rng(0)
        )
        np.testing.assert_array_equal(guess, frame)
    guess = HostedInpaint().reconstruct(view, np.random.default_rng(0))
    np.testing.assert_array_equal(guess, fill_with_nearest(view))


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"samples": 9}, "samples: expected 1 to 8, found 9"),
        ({"side": 32}, "side: expected 64 to 2048 pixels"),
        ({"prompt": "a" * 1001}, "at most 1000 characters, found 1001"),
    ],
)
def test_what_no_service_takes_is_refused(params: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        HostedInpaint(**params)

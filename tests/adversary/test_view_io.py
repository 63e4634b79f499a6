"""Views survive as bytes, and wrong bytes do not."""

import numpy as np
import pytest

from pedbench.adversary.view_bytes import view_from_bytes, view_to_bytes
from pedbench.types import MessageFacts, Patch, Prior, Tokens, View

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


def _view() -> View:
    rng = np.random.default_rng(0)
    return View(
        frame_size=(20, 30),
        moves=True,
        patches=(
            Patch(picture=rng.random((20, 4, 3)).astype(np.float32), top=0, left=26, server=2, request=1),
        ),
        degraded=(Patch(picture=rng.random((5, 6, 3)).astype(np.float32)[::-1], top=3, left=1, server=0),),
        tokens=(
            Tokens(
                values=rng.random((3, 8)).astype(np.float32),
                positions=np.array([[0, 0], [0, 1], [4, 4]]),
                depth=6,
                server=1,
            ),
        ),
        messages=(
            MessageFacts(
                server=2,
                request=1,
                sequence=0,
                operation="encode_image",
                bytes_in=9,
                bytes_out=7,
                received=1.25,
                arguments={"weights": "original"},
            ),
        ),
        description={"name": "ped_sam", "params": {"servers": 3}, "weights": None},
        prior=PRIOR,
        paintings=tuple(rng.random((2, 20, 30, 3)).astype(np.float32)),
    )


def test_round_trip() -> None:
    view = _view()
    again = view_from_bytes(view_to_bytes(view), PRIOR)
    assert view_to_bytes(again) == view_to_bytes(view)
    assert again.frame_size == view.frame_size
    assert again.messages == view.messages
    assert again.description == view.description
    for mine, theirs in ((view.patches, again.patches), (view.degraded, again.degraded)):
        assert np.array_equal(mine[0].picture, theirs[0].picture)
        assert vars(mine[0]) | {"picture": 0} == vars(theirs[0]) | {"picture": 0}
    assert np.array_equal(view.tokens[0].values, again.tokens[0].values)
    assert np.array_equal(view.tokens[0].positions, again.tokens[0].positions)
    assert np.array_equal(view.paintings, again.paintings)
    assert (again.tokens[0].depth, again.tokens[0].server) == (6, 1)


def test_truncated_and_padded_bytes_are_refused() -> None:
    data = view_to_bytes(_view())
    with pytest.raises(ValueError, match="explains"):
        view_from_bytes(data + b"\0", PRIOR)
    with pytest.raises(ValueError, match="buffer"):
        view_from_bytes(data[:-1], PRIOR)

"""Independent noise falls with the root of the number of requests."""

from typing import Any

import numpy as np
import pytest

from pedbench.inversion.averaging import average_tokens
from pedbench.plugins.attacks.averaging import Averaging
from pedbench.types import Patch, Picture, Prior, Tokens, View

PRIOR = Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=())


def _truth() -> Picture:
    rows, columns = np.mgrid[:48, :64]
    return np.repeat((0.5 + 0.2 * np.sin(rows / 5 + columns / 7))[..., None], 3, axis=2).astype(np.float32)


def _error(requests: int) -> float:
    truth, rng = _truth(), np.random.default_rng(requests)
    patches = tuple(
        Patch(
            picture=(truth[:, left : left + 32] + rng.normal(0, 0.05, (48, 32, 3))).astype(np.float32),
            top=0,
            left=left,
            server=left // 32,
            request=request,
        )
        for request in range(requests)
        for left in (0, 32)
    )
    view = View(frame_size=(48, 64), degraded=patches, prior=PRIOR)
    guess = Averaging(requests=requests).reconstruct(view, rng)
    return float(np.sqrt(np.square(guess - truth).mean()))


@pytest.mark.parametrize("requests", [1, 4, 16])
def test_the_error_falls_with_the_root_of_the_requests(requests: int) -> None:
    assert _error(requests) == pytest.approx(0.05 / requests**0.5, rel=0.05)


def test_tokens_are_averaged_by_position_and_depth() -> None:
    def tokens_at(positions: list[list[int]], value: float, depth: int, request: int) -> Tokens:
        values = np.full((len(positions), 4), value, np.float32)
        return Tokens(
            values=values, positions=np.array(positions), depth=depth, server=request, request=request
        )

    shallow, deep = average_tokens(
        [
            tokens_at([[2, 1], [0, 3]], 1.0, 0, 0),
            tokens_at([[0, 3]], 3.0, 0, 1),
            tokens_at([[0, 3]], 9.0, 2, 1),
        ]
    )
    found = {tuple(place): value[0] for place, value in zip(shallow.positions, shallow.values, strict=True)}
    assert found == {(0, 3): 2.0, (2, 1): 1.0}
    assert (shallow.depth, deep.depth, deep.values[0, 0]) == (0, 2, 9.0)


def test_tokens_of_more_requests_read_better() -> None:
    import torch

    from pedbench.adversary.prior import load_prior
    from pedbench.inversion.patch_embedding import embedding_of
    from pedbench.models.sam.family import MINI
    from pedbench.models.sam.networks import load_network

    prior: Any = load_prior()
    truth = prior.pictures[0][:64, :64]
    embedding = embedding_of(load_network(MINI, "original"))
    flat = (
        torch.tensor(truth).reshape(4, 16, 4, 16, 3).permute(0, 2, 4, 1, 3).reshape(16, -1).double().numpy()
    )
    positions = np.indices((4, 4)).reshape(2, -1).T
    rng = np.random.default_rng(0)
    tokens = [
        Tokens(
            values=(embedding.embed(flat) + rng.normal(0, 1, (16, 192))).astype(np.float32),
            positions=positions,
            depth=0,
            server=0,
            request=request,
        )
        for request in range(8)
    ]
    errors = []
    for requests in (1, 8):
        view = View(
            frame_size=(64, 64),
            tokens=tuple(tokens[:requests]),
            description={"family": "mini"},
            prior=prior,
        )
        errors.append(np.square(Averaging().reconstruct(view, rng) - truth).mean())
    assert errors[1] < 0.7 * errors[0]


def test_no_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="requests is at least 1, found 0"):
        Averaging(requests=0)

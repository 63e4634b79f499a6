from itertools import combinations

import numpy as np
import pytest

from pedbench.adversary.view import build_view, coalitions, content_shares, footprints
from pedbench.offload.operations.observation import Observation
from pedbench.types import Patch, Prior, Received, Tokens

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


def received(server: int, request: int = 0) -> Received:
    return Received(
        server=server,
        operation="o",
        request=request,
        sequence=server,
        payload={},
        arguments={"last": "3"},
        unexplained="",
        bytes_in=10,
        bytes_out=20,
        received=1.0,
    )


def patch(server: int, top: int, left: int, height: int, width: int) -> Patch:
    return Patch(picture=np.ones((height, width, 3), np.float32), top=top, left=left, server=server)


def test_footprints_are_where_content_belongs() -> None:
    tokens = Tokens(
        values=np.zeros((2, 5), np.float32), positions=np.array([[0, 0], [1, 2]]), depth=0, server=1
    )
    seen = [
        Observation(message=received(0), patches=(patch(0, 0, 0, 2, 2), patch(0, 1, 1, 2, 2))),
        Observation(message=received(1), tokens=(tokens,), patch_size=3),
        Observation(message=received(2), problem="no idea"),
    ]
    covered = footprints(seen, 4, (5, 8))
    # The token at row 1, column 2 covers rows 3 to 5 and columns 6 to 8, of which 2 each lie in the frame.
    assert covered.sum(axis=(1, 2)).tolist() == [7, 9 + 4, 40, 0]
    assert content_shares(covered) == [7 / 40, 13 / 40, 1.0, 0.0]


@pytest.mark.parametrize(("c", "m"), [(1, 3), (2, 3), (3, 100), (6, 1), (9, 2)])
def test_coalitions_are_the_largest_of_all(c: int, m: int) -> None:
    covered = np.random.default_rng(c).random((6, 7, 9)) < 0.3
    subsets = list(combinations(range(6), min(c, 6)))
    sizes = {subset: np.logical_or.reduce(covered[list(subset)]).sum() for subset in subsets}
    found = coalitions(covered, c, m)
    assert len(set(found)) == len(found) == min(m, len(subsets))
    assert [sizes[subset] for subset in found] == sorted(sizes.values(), reverse=True)[:m]


def test_many_servers_are_not_enumerated() -> None:
    generator = np.random.default_rng(0)
    owners = generator.choice(60, size=(40, 40), p=generator.dirichlet(np.ones(60)))
    covered = owners == np.arange(60)[:, None, None]
    found = coalitions(covered, 30, 3)
    # Without overlap the largest servers are the largest coalition.
    largest = np.argsort(-covered.sum(axis=(1, 2)), kind="stable")[:30]
    assert found[0] == tuple(sorted(largest.tolist()))
    assert coalitions(covered, 30, 3) == found


def test_ties_go_to_the_lower_indices_and_nobody_is_a_coalition() -> None:
    assert coalitions(np.ones((3, 2, 2), np.bool_), 1, 2) == ((0,), (1,))
    assert coalitions(np.zeros((0, 2, 2), np.bool_), 1, 3) == ((),)
    with pytest.raises(ValueError, match="c=0"):
        coalitions(np.ones((3, 2, 2), np.bool_), 0, 1)


def test_a_view_pools_its_coalition_alone() -> None:
    seen = [
        Observation(message=received(server), patches=(patch(server, server, 0, 1, 4),))
        for server in range(3)
    ]
    exact, degraded = (
        build_view(seen, (0, 2), frame_size=(4, 4), disclosure=kind, description={"name": "x"}, prior=PRIOR)
        for kind in ("exact", "degraded")
    )
    assert exact.canvas()[1].any(axis=1).tolist() == [True, False, True, False]
    assert [facts.server for facts in exact.messages] == [0, 2]
    assert not exact.degraded
    assert not degraded.patches
    assert [held.top for held in degraded.degraded] == [0, 2]
    assert exact.messages[0].arguments == {"last": "3"}
    assert (exact.messages[0].bytes_in, exact.messages[0].bytes_out) == (10, 20)

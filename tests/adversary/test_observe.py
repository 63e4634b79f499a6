import numpy as np

from pedbench.adversary.view import build_view, content_shares, footprints
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

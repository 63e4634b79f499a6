"""Windows in several messages: tokens and views stay the same, and transfers overlap with computation."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.links import Direction, Link
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.passes.stream_windows import chunks
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

W = "reordered"


def patches(done: Pass, servers: VirtualServers, frame: Picture) -> dict[int, set[tuple[int, int, bytes]]]:
    """Return positions and pixels of the patches that each server received."""
    found = defaultdict(set)
    for seen in observe(
        done.received, servers.operations, servers.networks, (frame.shape[0], frame.shape[1])
    ):
        assert not seen.problem
        for patch in seen.patches:
            found[patch.server].add((patch.top, patch.left, patch.picture.tobytes()))
    return found


def test_chunks_are_dealt_in_turn() -> None:
    assignment = {1: ((2, 0), (0, 0), (1, 0)), 0: ((0, 1),), 2: ()}
    assert chunks(assignment, 2) == [(1, ((0, 0), (1, 0))), (0, ((0, 1),)), (1, ((2, 0),))]
    assert chunks(assignment, 0) == [(1, ((0, 0), (1, 0), (2, 0))), (0, ((0, 1),))]


@pytest.mark.parametrize("payload", ["pixels", "tokens32"])
@pytest.mark.parametrize("count", [1, 3])
def test_chunks_change_nothing_but_the_messages(
    frame: Picture, servers: VirtualServers, networks: FamilyNetworks, payload: str, count: int
) -> None:
    whole, *parts = (
        run_pass(
            PedSam(servers=count, weights=W, payload=payload, chunk=chunk),
            frame,
            servers,
            networks,
            np.random.default_rng(0),
        )
        for chunk in (0, 1, 4)
    )
    for done in parts:
        assert done.embedding.features.equal(whole.embedding.features)
        assert len(done.received) > len(whole.received)
        assert len(done.rounds) == 1
    if payload == "pixels":
        views = [patches(done, servers, frame) for done in (whole, *parts)]
        assert views[0] == views[1] == views[2]


def test_a_server_receives_while_it_computes(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    done = run_pass(PedSam(servers=1, weights=W, chunk=1), wide, servers, networks, np.random.default_rng(0))
    computed = sorted(done.exchanges, key=lambda exchange: exchange.started)
    assert all(one.finished <= other.started for one, other in pairwise(computed))
    assert any(later.received < earlier.finished for earlier, later in pairwise(computed))


def test_chunks_save_what_both_directions_would_take_one_after_the_other(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    link = Link(name="made", up=Direction(rate=5, delay=5), down=Direction(rate=5, delay=5))
    # The pass is composed for the link, because a measured time would depend on this machine's load.
    servers.set_mode(turns=True, threads=1)

    def composed(chunk: int) -> Pass:
        """Return the pass that this machine disturbed least, of three."""
        defense = PedSam(servers=1, weights=W, chunk=chunk)
        passes = [run_pass(defense, wide, servers, networks, np.random.default_rng(0)) for _ in range(3)]
        return min(passes, key=lambda each: each.times(link).total)

    whole, parts = composed(0), composed(2)
    for done in (whole, parts):
        assert done.lower_bound(link) <= done.times(link).total
    # Up and down take 0.4 s each.
    assert whole.times(link).total > whole.lower_bound(link) + 0.3
    assert parts.times(link).total < whole.times(link).total - 0.2


@pytest.mark.long
def test_composed_times_are_those_of_passes_over_the_emulated_link(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    link = Link(name="made", up=Direction(rate=5, delay=5), down=Direction(rate=5, delay=5))
    defense = PedSam(servers=1, weights=W, chunk=2)
    real = run_pass(defense, wide, servers, networks, np.random.default_rng(0), PassSettings(link=link))
    assert real.lower_bound() <= real.times().total
    servers.set_mode(turns=True, threads=1)
    composed = run_pass(defense, wide, servers, networks, np.random.default_rng(0))
    assert composed.times(link).total == pytest.approx(real.times().total, rel=0.15)

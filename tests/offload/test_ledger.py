"""The limit on the content that one server may get, of one frame and over a session."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pedbench.adversary.view import content_shares, footprints
from pedbench.errors import AuditError, DisclosureError
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.disclosure_ledger import Ledger, Session
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.interleaved_offload import InterleavedOffload
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.token_noise import TokenNoise
from pedbench.plugins.defenses.window_shuffle import WindowShuffle
from pedbench.types import Picture

W = "reordered"


def run(defense: Any, frame: Picture, servers: VirtualServers, networks: FamilyNetworks, **more: Any) -> Pass:
    seed = more.pop("seed", 0)
    return run_pass(defense, frame, servers, networks, np.random.default_rng(seed), PassSettings(**more))


@pytest.mark.parametrize(
    "defense",
    [
        FullOffload(weights=W),
        PedSam(weights=W, chunk=2),
        PedSam(weights=W, payload="tokens32"),
        PedSam(weights=W, payload="png"),
        InterleavedOffload(),
        WindowShuffle(weights=W),
        TokenNoise(weights=W),
    ],
    ids=str,
)
def test_it_counts_what_the_wiretap_shows(
    defense: Any,
    frame: Picture,
    servers: VirtualServers,
    networks: FamilyNetworks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledgers: list[Ledger] = []
    compare = Ledger.compare

    def noted(ledger: Ledger, *arguments: Any) -> None:
        ledgers.append(ledger)
        compare(ledger, *arguments)

    monkeypatch.setattr(Ledger, "compare", noted)
    done = run(defense, frame, servers, networks)
    size = (frame.shape[0], frame.shape[1])
    seen = observe(done.received, servers.operations, networks, size)
    shares = content_shares(footprints(seen, 3, size))
    (ledger,) = ledgers
    counted = [ledger.pixels.get(server, 0) / (size[0] * size[1]) for server in range(3)]
    # A token at the border of the frame counts as a whole patch.
    assert counted == pytest.approx(shares, abs=1e-9)
    assert max(counted) <= defense.max_share(size, window_grid(networks.network(W).image_encoder)) + 1e-9


def test_a_suite_may_allow_less_than_a_defense(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    with pytest.raises(DisclosureError, match=r"would get 3\d.*the defense may give 30.0%"):
        run(PedSam(weights=W), wide, servers, networks, max_share=0.3)
    assert servers.collect() == [[], [], []]


def test_a_session_limits_changing_assignments(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    fixed, changing = PedSam(weights=W), PedSam(weights=W, assignment="random")
    session = Session(max_share=0.5)
    for seed in range(4):
        run(fixed, wide, servers, networks, session=session, seed=seed)
    session, seen = Session(max_share=0.5), []

    def until_refused() -> None:
        for seed in range(10):
            seen.append(run(changing, wide, servers, networks, session=session, seed=seed))

    with pytest.raises(DisclosureError, match="of what the session shows"):
        until_refused()
    assert seen
    messages = [message for done in seen for message in done.received]
    size = (wide.shape[0], wide.shape[1])
    observed = observe(messages, servers.operations, networks, size)
    assert max(content_shares(footprints(observed, 3, size))) <= 0.5
    with pytest.raises(DisclosureError, match=r"the session is over frames of \(240, 320\)"):
        run(fixed, wide[:200], servers, networks, session=session)


def test_a_wiretap_with_other_content_is_detected(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    done = run(PedSam(weights=W), wide, servers, networks)
    ledger = Ledger(frame=(240, 320), networks=networks, operations=servers.operations, max_share=0.4)
    first, *_ = done.received
    assert first.payload is not None
    ledger.admit([(first.server, first.operation, first.arguments, first.payload)])
    ledger.compare([first], ())
    with pytest.raises(AuditError, match=r"server 1 has .* pixels of content, the edge gave it 0"):
        ledger.compare(done.received, ())
    ledger.compare(done.received, (1, 2))
    with pytest.raises(DisclosureError):
        ledger.compare([replace(each, server=0) for each in done.received], (0, 1, 2))

"""Every defense that sends more than it declares must be detected."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from pedbench.adversary.view import footprints
from pedbench.base import Cloud, Disclosure, Edge
from pedbench.errors import AuditError, DisclosureError, plugin_line
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.edge import Edge as PassEdge
from pedbench.offload.passes.scatter import window_payloads
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.servers.wiretap import read_messages
from pedbench.pictures.frame import from_uint8
from pedbench.privacy.token_audit import TokenAudit
from pedbench.scenes.render import render
from pedbench.types import Payload, Picture, Received
from tests.offload.cheating_defenses import (
    Cheat,
    Unbound,
    W,
    by_an_operation_that_shows_a_corner,
    in_low_bits,
    in_low_bits_of_tokens,
    in_other_tokens,
    in_the_frame,
    judge,
    permuted,
    raw,
    run,
    told_another_size,
    whole_as_a_payload,
    whole_by_an_operation_of_its_own,
    whole_by_the_harness,
    whole_in_rounds,
    window_by_window,
    windows,
)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (whole_as_a_payload, "received 100.0% of the frame"),
        (window_by_window, "received 100.0% of the frame"),
        (in_low_bits, "other pixels than the frame's"),
        (permuted, "other pixels than the frame's"),
        (in_low_bits_of_tokens, "low bits"),
        (in_other_tokens, "tokens that are not the frame's"),
        (told_another_size, "was told a frame"),
    ],
)
def test_more_than_declared_is_invalid(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, script: Any, reason: str
) -> None:
    _, found = judge(Cheat(script=script), wide, servers, networks, sender=Unbound(script=script))
    assert reason in " ".join(found.invalid)


@pytest.mark.parametrize(
    "script",
    [
        whole_by_the_harness,
        whole_as_a_payload,
        window_by_window,
        whole_in_rounds,
        whole_by_an_operation_of_its_own,
        by_an_operation_that_shows_a_corner,
    ],
)
def test_more_than_declared_does_not_leave_the_edge(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, script: Any
) -> None:
    with pytest.raises(DisclosureError, match=r"server 0 would get .* the defense may give"):
        run(Cheat(script=script), wide, servers, networks)
    received = read_messages(0, servers.collect()[0], servers.operations)
    seen = footprints(observe(received, servers.operations, networks, wide.shape[:2]), 3, wide.shape[:2])
    grid = window_grid(networks.network(W).image_encoder)
    assert seen[0].mean() <= Cheat(script=script).max_share(wide.shape[:2], grid)


def test_a_wrong_size_is_invalid_for_every_disclosure(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    @dataclass(kw_only=True)
    class Blurry(Cheat):
        disclosure: ClassVar[Disclosure] = "degraded"

    _, found = judge(Blurry(script=told_another_size), wide, servers, networks)
    assert "was told a frame" in " ".join(found.invalid)


@pytest.mark.parametrize("payload", ["tokens16", "tokens32"])
def test_one_level_of_one_pixel_shows_in_trained_tokens(payload: str) -> None:
    trained, scene = FamilyNetworks(family=MINI), render(1, 0, "train").image
    draw = np.random.default_rng(0)
    edge = PassEdge(networks=trained, rng=draw, request=0, clock=Clock())
    for _ in range(5):
        other = scene.copy()
        other[draw.integers(scene.shape[0]), draw.integers(scene.shape[1]), draw.integers(3)] ^= 1
        sent = window_payloads(trained.network(W), other, windows(from_uint8(scene), edge), payload)
        audited = TokenAudit(truth=scene, networks=trained, streamed={(s, s) for s in sent})
        problems = [
            problem
            for server, content in sent.items()
            for problem in audited.differences(tokens_received(server, content), content)
        ]
        assert len(problems) == 1


def tokens_received(server: int, payload: Payload) -> Received:
    return Received(
        server=server,
        operation="encode_window_tokens",
        request=0,
        sequence=server,
        payload=payload,
        arguments={"weights": W, "reply": "float32"},
        unexplained="",
        bytes_in=0,
        bytes_out=0,
        received=0.0,
    )


def test_messages_of_a_silent_defense_are_invalid(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    @dataclass(kw_only=True)
    class Silent(Cheat):
        disclosure: ClassVar[Disclosure] = "nothing"

    _, found = judge(Silent(script=in_low_bits), wide, servers, networks)
    assert "nothing is sent" in found.invalid[0]


def test_the_frame_is_read_only(wide: Picture, servers: VirtualServers, networks: FamilyNetworks) -> None:
    with pytest.raises(ValueError, match="read-only") as caught:
        judge(Unbound(script=in_the_frame), wide, servers, networks)
    assert ": change a copy, `array.copy()` (cheating_defenses.py:" in plugin_line(caught.value)
    assert wide[:8].any()


def test_a_message_that_bypasses_the_ledger_is_detected(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        send, data = raw(frame, edge, cloud)
        send(data)

    with pytest.raises(AuditError, match="nothing of it"):
        run(Cheat(script=script), wide, servers, networks)

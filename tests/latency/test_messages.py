"""Messages that are made without a network are as long as those of real passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pedbench.latency.advice.message_sizes import frame_message, window_message
from pedbench.latency.advice.options import Setting, offer, offers
from pedbench.latency.advice.traffic import NO_TRAFFIC, split_frame
from pedbench.latency.devices import find_device
from pedbench.models.sam.architectures import PED_MINI, VIT_H
from pedbench.models.sam.family import MINI, FamilyNetworks
from pedbench.network.links import find_link
from pedbench.offload.operations.tiles import to_bytes
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.ped_sam import PedSam

NETWORKS = FamilyNetworks(family=MINI, random_seed=0)


@pytest.fixture(scope="module")
def servers() -> Iterator[VirtualServers]:
    with VirtualServers(3, NETWORKS) as found:
        yield found


def passed(defense: Any, servers: VirtualServers, frame: Any) -> list[tuple[int, int]]:
    done = run_pass(defense, frame, servers, NETWORKS, np.random.default_rng(0))
    return [(exchange.bytes_up, exchange.bytes_down) for exchange in done.exchanges]


@pytest.mark.parametrize(
    ("payload", "reply"),
    [("pixels", "float32"), ("pixels", "float16"), ("jpeg(quality=90)", "quantised(bits=6)")],
)
def test_messages_are_as_long_as_real_ones(servers: VirtualServers, payload: str, reply: str) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (240, 320, 3)).astype(np.float32) / np.float32(255)
    windows = PED_MINI.grid.active((240, 320))
    parts = assign("dispersed", windows, 3, np.random.default_rng(0)).values()
    found = [
        window_message(PED_MINI, to_bytes(frame), part, payload, reply, number)
        for number, part in enumerate(parts)
    ]
    expected = passed(PedSam(payload=payload, reply=reply), servers, frame)
    assert [(message.bytes_up, message.bytes_down) for message in found] == expected
    whole = frame_message(PED_MINI, to_bytes(frame), "pixels", reply)
    assert [(whole.bytes_up, whole.bytes_down)] == passed(FullOffload(reply=reply), servers, frame)


SETTING = Setting(
    of=VIT_H,
    edge=find_device("jetson-orin-nano"),
    server=find_device("rtx-3090"),
    link=find_link("gigabit"),
)


def test_a_split_of_vit_h_is_what_its_parts_are() -> None:
    sent = split_frame(VIT_H, np.zeros((1024, 1024, 3), np.uint8), 3, "pixels", "float32")
    found = offer(SETTING, sent)
    # A window of pixels is 150.5 kB, one of tokens 1.0 MB.
    assert sent.bytes_up == pytest.approx(25 * 150_528, rel=1e-3)
    assert sent.bytes_down == pytest.approx(25 * 14 * 14 * 1280 * 4, rel=1e-3)
    assert found.times.edge == pytest.approx(2.97, abs=0.1)
    assert found.times.downlink > sent.bytes_down / 3 * 8 / 1e9


def test_more_servers_see_less_and_nothing_leaves_a_device_that_keeps_it() -> None:
    found = offers(
        SETTING, np.zeros((768, 1024, 3), np.uint8), counts=(1, 3, 25), forms=[("pixels", "float16")]
    )
    assert [each.seconds for each in found] == sorted(offer.times.total for offer in found)
    by_servers = {each.servers: each for each in found if each.traffic.defense == "ped_sam"}
    # A picture of 4:3 fills 20 of the 25 windows.
    assert sorted(by_servers) == [1, 3, 20]
    shares = [by_servers[count].traffic.share for count in (1, 3, 20)]
    assert shares == pytest.approx([1, 0.34, 224**2 / (768 * 1024)], abs=0.02)
    kept = offer(SETTING, NO_TRAFFIC)
    assert (kept.traffic.share, kept.traffic.bytes_up, kept.seconds) == pytest.approx((0, 0, 17.7))

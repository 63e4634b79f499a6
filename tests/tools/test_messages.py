"""Messages that are made without a network are as long as those of real passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pedbench.models.sam.architectures import PED_MINI
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.ped_sam import PedSam
from tools.studies.messages import frame_message, window_message

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
        window_message(PED_MINI, to_uint8(frame), part, payload, reply, number)
        for number, part in enumerate(parts)
    ]
    expected = passed(PedSam(payload=payload, reply=reply), servers, frame)
    assert [(message.bytes_up, message.bytes_down) for message in found] == expected
    whole = frame_message(PED_MINI, to_uint8(frame), "pixels", reply)
    assert [(whole.bytes_up, whole.bytes_down)] == passed(FullOffload(reply=reply), servers, frame)

"""Projected rows against a pass that was worked out by hand."""

from __future__ import annotations

import pytest

from pedbench.measure.projected import on_devices
from pedbench.network.links import Direction, Link, find_link
from pedbench.offload.passes.timing import Clock
from pedbench.types import Exchange

SLOW = Link(name="slow", up=Direction(rate=0, delay=50), down=Direction(rate=0, delay=70))


def call(server: int, sequence: int, sent: float, computing: float) -> Exchange:
    """It takes 10 ms to the server, waits 20 ms there, and takes 30 ms back."""
    started = sent + 0.03
    return Exchange(
        server=server,
        operation="o",
        request=0,
        sequence=sequence,
        bytes_up=1000,
        bytes_down=1000,
        sent=sent,
        received=sent + 0.01,
        started=started,
        finished=started + computing,
        replied=started + computing + 0.03,
    )


def turns() -> tuple[list[list[Exchange]], Clock]:
    """Return a pass: two messages to server 0, one to server 1, work at home, replies read, the edge's blocks."""
    calls = [call(0, 0, 1.1, 0.4), call(1, 1, 1.66, 0.1), call(0, 2, 1.92, 0.3)]
    clock = Clock(
        start=1.0,
        stop=3.5,
        # Each message is made before it is sent, as the one before is back.
        prepare=[(1.0, 1.1), (1.56, 1.66), (1.82, 1.92)],
        overlapped=[(2.28, 2.48)],
        read={0: [(2.48, 2.53)], 1: [(2.53, 2.58)], 2: [(2.58, 2.63)]},
    )
    return [calls], clock


def test_phases_are_those_of_a_pass_worked_out_by_hand() -> None:
    """The edge is twice as slow, servers ten times as fast: computing takes 40, 10 and 30 ms.

    Messages are made at 0, 0.2 and 0.4 s after the first is sent, 0.2 s each, then 0.4 s of work at home follow until
    0.8, and each of three replies takes 0.1 s to read. They arrive at 0.01, 0.21 and 0.41, all before the work at home
    is done, so the last is read at 1.1.
    """
    seeds = {find_link("loopback"): 0, SLOW: 0}
    seconds = on_devices(*turns(), 0.2, seeds, edge=2, server=0.1)
    blocks = 2 * (3.5 - 2.63)
    expected = {
        "prepare": 0.2,
        "uplink": 0.41,
        "slowest server": 0.03,
        "downlink": 0.03,
        "edge": 1.1 - 0.47 + blocks,
        "decoder": 0.4,
        "end to end": 0.2 + 1.1 + blocks,
        # 0.4 s of making, 0.4 at home and 0.3 of reading outlast everything that servers and the link do.
        "lower bound": 0.2 + 1.1 + blocks,
    }
    assert seconds[find_link("loopback")] == pytest.approx(expected)
    slow = {**expected, "uplink": 0.46, "downlink": 0.1, "edge": 1.1 - 0.59 + blocks}
    assert seconds[SLOW] == pytest.approx(slow)

"""Rescaled passes compared with the passes of slower or faster devices."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from pedbench.network.links import find_link
from pedbench.offload.passes.rescaling import rescale
from pedbench.offload.passes.timing import Clock, lower_bound, turn_times
from pedbench.types import Exchange


def passes(scale_edge: float, scale_server: float) -> tuple[list[list[Exchange]], Clock]:
    """Return two rounds of a pass whose servers took turns, on slower or faster devices with the same messages.

    Server 0 gets two messages in the first round, and the edge works on windows of its own before it reads.
    """
    now = 0.3 * scale_edge
    clock = Clock(start=0.0, prepare=[(0.0, now)])
    rounds: list[list[Exchange]] = []
    for computing in ([(0, 0.4), (1, 0.7), (2, 0.1), (0, 0.6)], [(1, 0.2)]):
        exchanges: list[Exchange] = []
        for server, alone in computing:
            sequence = sum(len(each) for each in rounds) + len(exchanges)
            clock.prepare.append((now, now + 0.05 * scale_edge))
            now += 0.05 * scale_edge
            received, started = now + 0.01, now + 0.02
            finished = started + alone * scale_server
            exchanges.append(
                Exchange(
                    server=server,
                    operation="o",
                    request=0,
                    sequence=sequence,
                    bytes_up=40_000,
                    bytes_down=90_000,
                    sent=now,
                    received=received,
                    started=started,
                    finished=finished,
                    replied=finished + 0.03,
                )
            )
            now = finished + 0.03
        clock.overlapped.append((now, now + 0.9 * scale_edge))
        now += 0.9 * scale_edge
        for exchange in exchanges:
            clock.read[exchange.sequence] = [(now, now + 0.02 * scale_edge)]
            now += 0.02 * scale_edge
        now += 0.5 * scale_edge
        rounds.append(exchanges)
    clock.stop = now
    return rounds, clock


@pytest.mark.parametrize("link", ["loopback", "wifi-5", "lte"])
@pytest.mark.parametrize(("edge", "server"), [(1, 1), (17, 1), (1, 0.05), (3, 0.4)])
def test_a_rescaled_pass_is_that_of_the_other_devices(link: str, edge: float, server: float) -> None:
    rounds, clock = passes(1, 1)
    moved = rescale(rounds, clock, edge=edge, server=server)
    found = turn_times(*moved, find_link(link), seed=3)
    expected = turn_times(*passes(edge, server), find_link(link), seed=3)
    assert astuple(found) == pytest.approx(astuple(expected))
    assert lower_bound(*moved, find_link(link)) == pytest.approx(
        lower_bound(*passes(edge, server), find_link(link))
    )

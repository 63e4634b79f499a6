from types import SimpleNamespace
from typing import Any

import pytest

from pedbench.network.links import Direction, Link, find_link
from pedbench.offload.passes.timeline import pending_timeline, timeline
from pedbench.offload.passes.timing import Clock, PassTimes, lower_bound, turn_times, wall_times
from pedbench.types import Exchange

LOOPBACK = find_link("loopback")


def exchange(server: int, *times: float, sequence: int = 0, up: int = 0, down: int = 0) -> Exchange:
    names = ("sent", "received", "started", "finished", "replied")
    return Exchange(
        server=server,
        operation="o",
        request=0,
        sequence=sequence,
        bytes_up=up,
        bytes_down=down,
        **dict(zip(names, times, strict=True)),
    )


def phases(times: PassTimes) -> tuple[float, ...]:
    return times.prepare, times.uplink, times.server, times.downlink, times.edge


def test_wall_follows_the_reply_that_came_last() -> None:
    rounds = [
        # Server 1 is sent later but decides the round; server 0 has the longer downlink.
        [exchange(0, 2, 3, 3, 4, 7), exchange(1, 2.5, 4, 5, 8, 9)],
        [exchange(0, 10, 11, 11, 12, 13)],
    ]
    # From 1.8 on, the preparation overlaps with the first message.
    clock = Clock(start=1, stop=15, prepare=[(1, 1.5), (1.2, 2.25)])
    times = wall_times(rounds, clock)
    assert phases(times) == pytest.approx((1, 2 + 1, 4 + 1, 1 + 1, 3))
    assert times.total == pytest.approx(14)


def test_rounds_that_overlap_are_not_counted_twice() -> None:
    rounds = [[exchange(0, 0, 1, 1, 6, 7)], [exchange(1, 3, 4, 4, 8, 10)]]
    times = wall_times(rounds, Clock(start=0, stop=12))
    assert times.total == pytest.approx(12)
    assert times.edge == pytest.approx(2)


def test_turns_compose_as_if_servers_were_apart() -> None:
    rounds = [
        # Server 1 waits 2 s for its turn, which does not count; server 0 is called twice in the round.
        [exchange(0, 1, 2, 2, 3, 4), exchange(1, 4, 5, 7, 9, 10), exchange(0, 10, 11, 11, 14, 16)],
        [exchange(2, 18, 19, 19, 20, 21)],
    ]
    clock = Clock(start=0, stop=24, prepare=[(0, 1)])
    # Round one: server 0 has both messages after 1, computes 1 and then 3, and the second reply takes 2; server 1
    # takes only 1+2+1. Edge: 24 - 1 - (3 + 6 + 6 + 3).
    assert phases(turn_times(rounds, clock, LOOPBACK)) == pytest.approx((1, 1 + 1, 4 + 1, 2 + 1, 5))


def test_turns_compose_over_a_link_that_all_servers_share() -> None:
    # The link carries one packet a second up and two down, with a delay of half a second.
    packet = 1514 * 8 / 1e6
    link = Link(name="made", up=Direction(rate=packet, delay=500), down=Direction(rate=2 * packet, delay=500))
    rounds = [
        [
            exchange(0, 0, 0, 0, 9, 9, sequence=0, up=2 * 1448, down=2 * 1448),
            exchange(1, 9, 9, 9, 16, 16, sequence=1, up=1448, down=4 * 1448),
            exchange(2, 16, 16, 16, 17, 17, sequence=2, up=1448, down=1448),
        ]
    ]
    # Arrivals at 2.5, 3.5 and 4.5; results at 11.5, 10.5 and 5.5. The way back is free until 10.5, then taken until
    # 12.5 by server 1; server 0's reply, ready at 11.5, waits for it and leaves at 13.5: it decides.
    times = turn_times(rounds, Clock(start=0, stop=20), link)
    assert phases(times) == pytest.approx((0, 2.5, 9, 2.5, 3))


def test_overlapping_work_of_the_edge_overlaps_in_composed_times() -> None:
    packet = 1448
    rounds = [
        [
            exchange(0, 1, 1, 1, 3, 3, sequence=0, up=2 * packet, down=packet),
            exchange(0, 4, 4, 4, 6, 6, sequence=1, up=2 * packet, down=packet),
        ]
    ]
    clock = Clock(
        start=0,
        stop=12,
        prepare=[(0, 1), (3, 4)],
        overlapped=[(6, 8)],
        read={0: [(8, 8.5)], 1: [(8.5, 9.5)]},
    )
    # Times count from the first message: the second is made until 1, and the edge's own windows take until 3. Replies
    # arrive at 2 and 4 and are read until 3.5 and 5. Further work of 2.5 follows.
    assert phases(turn_times(rounds, clock, LOOPBACK)) == pytest.approx((1, 1, 3, 0, 1 + 2.5))
    # Alone 1 and 2.5; between, the edge is the busiest: 1 and 2 and 1.5.
    assert lower_bound(rounds, clock, LOOPBACK) == pytest.approx(3.5 + 4.5)
    # One packet a second up and two down, there and back in one second: as busy as the server.
    rate = 1514 * 8 / 1e6
    link = Link(
        name="made", up=Direction(rate=rate, delay=600, jitter=100), down=Direction(rate=2 * rate, delay=500)
    )
    assert lower_bound(rounds, clock, link) == pytest.approx(3.5 + 1 + 4)


def test_a_pass_without_messages_is_all_edge() -> None:
    clock = Clock(start=5, stop=7, prepare=[(5, 5.5)])
    assert lower_bound([], clock, LOOPBACK) == 2
    assert phases(wall_times([], clock)) == phases(turn_times([], clock, LOOPBACK)) == (0.5, 0, 0, 0, 1.5)


def test_the_clock_times_what_runs_inside() -> None:
    with Clock() as clock, clock.preparing():
        pass
    assert clock.start <= clock.prepare[0][0] <= clock.prepare[0][1] <= clock.stop


def test_the_timeline_covers_a_pass_without_gaps_or_inventions() -> None:
    rounds = [[exchange(0, 1.5, 2, 2, 4, 5), exchange(1, 2, 3, 3.5, 6, 7, sequence=1)]]
    clock = Clock(start=1, stop=10, prepare=[(1, 1.5)], read={0: [(5, 5.5)]})
    spans = timeline(rounds, clock)
    assert [(span.step, span.start, span.stop) for span in spans if span.server is None] == [
        ("prepare", 0, 0.5),
        ("edge", 4, 4.5),
        ("edge", 6, 9),
    ]
    assert [(span.step, span.start, span.stop) for span in spans if span.server == 1] == [
        ("uplink", 1, 2),
        ("waiting", 2, 2.5),
        ("server", 2.5, 5),
        ("downlink", 5, 6),
    ]
    # Any moment is the edge's own, or a call is pending.
    covered = sorted((span.start, span.stop) for span in spans)
    reached = 0.0
    for start, stop in covered:
        assert start <= reached
        reached = max(reached, stop)
    assert reached == clock.stop - clock.start


def test_spans_of_the_link_have_the_bytes_that_it_carried() -> None:
    spans = timeline([[exchange(1, 0, 1, 2, 3, 4, up=7, down=9)]], Clock(start=0, stop=4))
    assert {span.step: span.size for span in spans} == {"uplink": 7, "waiting": 0, "server": 0, "downlink": 9}


def test_an_open_call_lasts_until_now() -> None:
    calls: Any = [
        SimpleNamespace(server=0, sent=1.0, replied=3.5),
        SimpleNamespace(server=2, sent=2.0, replied=0.0),
    ]
    done, still = pending_timeline(calls)
    assert (done.start, done.stop) == (0, 2.5)
    assert still.start == 1
    assert still.stop > 100

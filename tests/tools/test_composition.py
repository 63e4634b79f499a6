"""Composed passes against an event simulation of their own."""

from __future__ import annotations

import heapq
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pedbench.network.links import Direction, Link, find_link
from tools.studies.composition import Job, compose, share_cores

PACKET, HEADERS = 1448, 66

seconds = st.floats(0, 2, allow_subnormal=False)
sizes = st.integers(1, 300_000)
jobs = st.lists(
    st.builds(Job, bytes_up=sizes, bytes_down=sizes, compute=seconds, up=seconds, down=seconds),
    min_size=1,
    max_size=7,
)
directions = st.builds(Direction, rate=st.sampled_from([0.5, 8, 900]), delay=st.sampled_from([0, 3, 200]))
made_links = st.builds(Link, name=st.just("made"), up=directions, down=directions)


def simulated(given_jobs: list[Job], link: Link, cores: int | None) -> float:
    """When the edge has the last reply: one event after another, servers served in slices where they share cores."""
    events: list[tuple[float, int, str, int]] = []
    order = count()

    def on_wire(direction: Direction, free: float, now: float, size: int) -> float:
        packets = max(1, -(-size // PACKET))
        return max(free, now) + (size + packets * HEADERS) * 8 / (direction.rate * 1e6)

    # On a host that all share, handling a message takes a core as computing does.
    handled = [(job.up, job.compute, job.down) for job in given_jobs]
    if cores is not None:
        handled = [(0.0, sum(parts), 0.0) for parts in handled]
    up_free = down_free = 0.0
    for number, job in enumerate(given_jobs):
        up_free = on_wire(link.up, up_free, 0.0, job.bytes_up)
        moment = up_free + link.up.delay / 1000 + handled[number][0]
        heapq.heappush(events, (moment, next(order), "arrives", number))
    left: dict[int, float] = {}
    now = last = 0.0
    while events or left:
        speed = 1.0 if cores is None else min(1.0, cores / max(1, len(left)))
        ends = min(((now + todo / speed, number) for number, todo in left.items()), default=(np.inf, -1))
        moment = min(ends[0], events[0][0] if events else np.inf)
        left = {number: todo - (moment - now) * speed for number, todo in left.items()}
        now = moment
        if ends[0] == moment:
            del left[ends[1]]
            heapq.heappush(events, (now + handled[ends[1]][2], next(order), "replies", ends[1]))
            continue
        _, _, event, number = heapq.heappop(events)
        if event == "arrives":
            left[number] = handled[number][1]
        else:
            down_free = on_wire(link.down, down_free, now, given_jobs[number].bytes_down)
            last = max(last, down_free + link.down.delay / 1000)
    return last


@given(
    given_jobs=jobs, link=made_links, cores=st.sampled_from([None, 1, 2, 3]), prepare=seconds, edge=seconds
)
@settings(deadline=None, max_examples=150)
def test_a_composed_pass_is_the_simulated_one(
    given_jobs: list[Job], link: Link, cores: int | None, prepare: float, edge: float
) -> None:
    times = compose(given_jobs, link, prepare=prepare, edge=edge, cores=cores)
    assert times.total == pytest.approx(prepare + simulated(given_jobs, link, cores) + edge, abs=1e-6)
    assert (times.prepare, times.edge) == pytest.approx((prepare, edge), abs=1e-9)


def test_cores_are_shared_evenly() -> None:
    # One core: alone for a second, then two share it for four, then the first is alone again.
    assert share_cores([0, 1], [4, 2], 1) == pytest.approx([6, 5])
    # Three jobs on two cores: two thirds each.
    assert share_cores([0, 0, 0], [2, 2, 2], 2) == pytest.approx([3, 3, 3])
    assert share_cores([0, 5], [1, 1], 2) == pytest.approx([1, 6])


def test_without_servers_all_is_the_edge() -> None:
    times = compose([], find_link("lte"), prepare=0.5, edge=2)
    assert times.total == pytest.approx(2.5)

"""The emulated link compared with a simulation of every packet, and with measured times."""

import threading
import time
from collections import defaultdict
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pedbench.base import Networks
from pedbench.network.emulated_link import LinkQueue, Transport
from pedbench.network.links import Direction, Link, find_link
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

MESSAGES = st.lists(
    st.tuples(st.floats(0, 0.02), st.integers(1, 40_000), st.integers(0, 2)), min_size=1, max_size=12
)


def make_link(rate: float, delay: float, **more: float) -> Link:
    direction = Direction(rate=rate, delay=delay, **more)
    return Link(name="made", up=direction, down=direction)


def packet_by_packet(messages: list[tuple[float, int, int]], rate: float, delay: float) -> list[float]:
    """Return the arrival of each message's last packet in microseconds, on a wire that carries one packet at a time."""
    clock, wire_free, arrivals = 0.0, 0.0, []
    for pause, size, _ in messages:
        clock += pause * 1e6
        left = size
        while left > 0:
            carried = min(left, 1448)
            wire_free = max(wire_free, clock) + (carried + 66) * 8 / rate
            left -= carried
        arrivals.append((wire_free + delay * 1e3) / 1e6)
    return arrivals


@given(messages=MESSAGES, rate=st.sampled_from([1.0, 20.0, 100.0]), delay=st.sampled_from([0.0, 20.0]))
def test_messages_share_the_wire_as_packets_would(
    messages: list[tuple[float, int, int]], rate: float, delay: float
) -> None:
    queue = LinkQueue(direction=Direction(rate=rate, delay=delay), back=delay / 1000, seed=(0, 0))
    times = np.cumsum([pause for pause, _, _ in messages])
    found = [
        queue.send(now, size, server, number)
        for number, (now, (_, size, server)) in enumerate(zip(times, messages, strict=True))
    ]
    assert found == pytest.approx(packet_by_packet(messages, rate, delay), abs=1e-9)


def test_jitter_is_even_and_keeps_the_order_of_each_server() -> None:
    queue = LinkQueue(direction=Direction(rate=0, delay=20, jitter=10), back=0, seed=(3, 0))
    arrivals = defaultdict(list)
    delays = []
    for number in range(4000):
        now = number * 0.001
        arrival = queue.send(now, 100, number % 2, number)
        arrivals[number % 2].append(arrival)
        alone = LinkQueue(direction=queue.direction, back=0, seed=(3, 0))
        delays.append(alone.send(now, 100, 0, number) - now)
    assert all(np.all(np.diff(times) >= 0) for times in arrivals.values())
    # Of an even distribution between 10 and 30 ms: mean, deviation, extremes.
    assert np.mean(delays) == pytest.approx(0.020, rel=0.02)
    assert np.std(delays) == pytest.approx(0.020 / np.sqrt(12), rel=0.03)
    assert 0.010 <= min(delays) < 0.0101
    assert 0.0299 < max(delays) <= 0.030


def test_losses_are_sent_again_a_round_trip_later() -> None:
    loss, packets, rate, delay, back = 0.05, 20, 50.0, 20.0, 0.03
    extra_wire, trips = [], []
    for number in range(4000):
        queue = LinkQueue(direction=Direction(rate=rate, delay=delay, loss=loss), back=back, seed=(1, 0))
        arrival = queue.send(0.0, packets * 1448, 0, number)
        wire = queue.free * rate * 1e6 / 8
        extra_wire.append(wire / (packets * 1514))
        trips.append((arrival - queue.free - delay / 1000) / (delay / 1000 + back))
    assert np.allclose(trips, np.rint(trips))
    # A packet is sent 1 / (1 - p) times; no round is needed if all come through at once, at most one if twice.
    assert np.mean(extra_wire) == pytest.approx(1 / (1 - loss), rel=0.01)
    assert np.mean(np.rint(trips) == 0) == pytest.approx((1 - loss) ** packets, abs=0.025)
    assert np.mean(np.rint(trips) <= 1) == pytest.approx((1 - loss**2) ** packets, abs=0.01)


def test_the_same_seed_draws_the_same_for_a_message() -> None:
    direction = Direction(rate=10, delay=20, jitter=10, loss=0.1)

    def arrival(seed: int, before: int) -> float:
        queue = LinkQueue(direction=direction, back=0.02, seed=(seed, 0))
        for number in range(before):
            queue.send(0.0, 5000, 1, number)
        return queue.send(100.0, 5000, 0, 7)

    assert arrival(1, 0) == arrival(1, 5)
    assert arrival(1, 0) != arrival(2, 0)


def test_the_clock_keeps_to_the_queue() -> None:
    late = []
    for _ in range(5):
        began, arrived = _three_arrivals()
        assert list(arrived) == [0, 1, 2]
        # 14480 bytes are ten packets: 15.14 ms at 8 Mbit/s. One after the other, the delay pipelined.
        due = [began + 0.01514 * (number + 1) + 0.020 for number in range(3)]
        late.append([arrived[number] - due[number] for number in range(3)])
        assert min(late[-1]) >= -0.001
    # Other work on the host delays some attempts, not all.
    assert min(max(each) for each in late) < 0.050


def _three_arrivals() -> tuple[float, dict[int, float]]:
    """Send three messages at once; return when, and the time at which each arrives."""
    arrived: dict[int, float] = {}
    done = threading.Event()

    def arrive(number: int) -> None:
        arrived[number] = time.monotonic()
        if len(arrived) == 3:
            done.set()

    with Transport(make_link(8.0, 20.0), 0) as transport:
        began = time.monotonic()
        for number in range(3):
            transport.up(14480, number, number, partial(arrive, number))
        assert done.wait(10)
    return began, arrived


@pytest.mark.slow
def test_a_pass_takes_what_the_shared_link_needs(
    wide: Picture, servers: VirtualServers, networks: Networks
) -> None:
    # The link is so slow that other work on the host hardly matters.
    link = make_link(2.0, 15.0)
    defense = PedSam(weights="reordered")
    plain, slow = (
        run_pass(defense, wide, servers, networks, np.random.default_rng(0), PassSettings(link=each))
        for each in (find_link("loopback"), link)
    )
    assert slow.embedding.features.equal(plain.embedding.features)
    up, down = (
        sum(sizes) for sizes in zip(*[(e.bytes_up, e.bytes_down) for e in slow.exchanges], strict=True)
    )
    wire_up, wire_down = (total * 8 * 1514 / 1448 / 2e6 for total in (up, down))
    times = slow.times()
    assert times.uplink > 0.015
    # All servers share one link in both directions, and replies wait for the first message.
    assert times.uplink + times.server + times.downlink > 0.030 + max(wire_up, wire_down)
    assert times.downlink > 0.015 + min(e.bytes_down for e in slow.exchanges) * 8 / 2e6
    servers.set_mode(turns=True, threads=1)
    apart = run_pass(defense, wide, servers, networks, np.random.default_rng(0))
    composed = apart.times(link)
    assert composed.uplink + composed.downlink > apart.times().uplink + apart.times().downlink + 0.030


@pytest.mark.long
def test_a_shared_link_takes_as_long_as_composed(
    wide: Picture, servers: VirtualServers, networks: Networks
) -> None:
    link, defense = make_link(2.0, 15.0), PedSam(weights="reordered")
    real = run_pass(defense, wide, servers, networks, np.random.default_rng(0), PassSettings(link=link))
    servers.set_mode(turns=True, threads=1)
    apart = run_pass(defense, wide, servers, networks, np.random.default_rng(0))
    assert apart.times(link).total == pytest.approx(real.times().total, rel=0.15)


@pytest.mark.slow
def test_no_pass_hangs_on_a_link_that_is_too_slow(
    wide: Picture, servers: VirtualServers, networks: Networks
) -> None:
    defense, rng = PedSam(weights="reordered"), np.random.default_rng(0)
    for link, reason in (
        (make_link(0.2, 0.0), "still on the link after 1 s"),
        (make_link(0.0, 600.0), "no reply after 1 s"),
    ):
        began = time.monotonic()
        with pytest.raises(ServerLost, match=reason):
            run_pass(defense, wide, servers, networks, rng, PassSettings(link=link, deadline=1.0))
        assert time.monotonic() - began < 10


def test_turns_are_not_taken_over_an_emulated_link(
    wide: Picture, servers: VirtualServers, networks: Networks
) -> None:
    servers.set_mode(turns=True, threads=1)
    with pytest.raises(ValueError, match="compose"):
        run_pass(
            PedSam(), wide, servers, networks, np.random.default_rng(0), PassSettings(link=make_link(1, 1))
        )

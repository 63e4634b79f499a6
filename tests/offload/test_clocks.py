"""Times of a server whose clock differs from the edge's."""

import pytest

from pedbench.network.clock_offset import ClockOffset, estimate_offset, on_edge_clock
from pedbench.types import Exchange


def exchange(sent: float, received: float, started: float, finished: float, replied: float) -> Exchange:
    return Exchange(
        server=0,
        operation="o",
        request=0,
        sequence=0,
        bytes_up=0,
        bytes_down=0,
        sent=sent,
        received=received,
        started=started,
        finished=finished,
        replied=replied,
    )


def test_the_shortest_round_trip_gives_the_offset() -> None:
    # The server is 1000 ahead. The second trip took 2, 0.5 of it on the way there, so that it errs by 0.5.
    offset = estimate_offset([(0, 1004, 10), (20, 1020.5, 22), (30, 1031, 34)])
    assert offset.seconds == pytest.approx(999.5)
    assert offset.uncertainty == pytest.approx(1)
    assert abs(offset.seconds - 1000) <= offset.uncertainty


def test_durations_are_the_servers_own_and_the_rest_is_split_by_the_offset() -> None:
    measured = exchange(10, 1012, 1013, 1017, 20)
    converted = on_edge_clock(measured, ClockOffset(seconds=1000, uncertainty=0))
    assert (converted.received, converted.started, converted.finished) == pytest.approx((12, 13, 17))


@pytest.mark.parametrize(("off", "received"), [(5.0, 10.0), (-5.0, 15.0)])
def test_no_direction_takes_negative_time(off: float, received: float) -> None:
    measured = exchange(10, 1012, 1013, 1017, 20)
    converted = on_edge_clock(measured, ClockOffset(seconds=1000 + off, uncertainty=5))
    assert converted.received == pytest.approx(received)
    assert converted.finished - converted.received == pytest.approx(5)
    times = [converted.sent, converted.received, converted.started, converted.finished, converted.replied]
    assert times == sorted(times)

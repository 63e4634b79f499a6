"""The intervals of a pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pedbench.explore.trace import live_spans, spans
from pedbench.offload.passes.timing import Clock
from pedbench.types import Exchange


def test_edge_works_whenever_nothing_is_under_way() -> None:
    clock = Clock(start=100.0, stop=101.0, prepare=[(100.1, 100.2)])
    times = {"sent": 100.2, "received": 100.3, "started": 100.35, "finished": 100.6, "replied": 100.7}
    one = Exchange(server=1, operation="o", request=0, sequence=0, bytes_up=7, bytes_down=9, **times)
    done: Any = SimpleNamespace(clock=clock, exchanges=(one,))
    found = [
        (span.server, span.work, round(span.start, 6), round(span.end, 6), span.bytes) for span in spans(done)
    ]
    assert found == [
        (None, "prepare", 0.1, 0.2, 0),
        (None, "edge", 0.0, 0.1, 0),
        (None, "edge", 0.7, 1.0, 0),
        (1, "uplink", 0.2, 0.3, 7),
        (1, "waiting", 0.3, 0.35, 0),
        (1, "server", 0.35, 0.6, 0),
        (1, "downlink", 0.6, 0.7, 9),
    ]


def test_an_open_call_lasts_until_now() -> None:
    calls: Any = [
        SimpleNamespace(server=0, sent=1.0, replied=3.5),
        SimpleNamespace(server=2, sent=2.0, replied=0.0),
    ]
    done, still = live_spans(calls)
    assert (done.start, done.end) == (0, 2.5)
    assert still.start == 1
    assert still.end > 100

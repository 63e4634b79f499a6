"""Lanes: one call at a time, in order."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from pedbench.explore.workshop import Lane, Workshop


def test_calls_take_turns_and_what_waits_can_be_dropped() -> None:
    lane, gate = Lane("test"), threading.Event()
    order: list[int] = []
    first = lane.submit(gate.wait, 10)
    second, third, fourth = (lane.submit(order.append, number) for number in (2, 3, 4))
    assert [lane.ahead(first), lane.ahead(second), lane.ahead(fourth)] == [0, 1, 3]
    assert third.cancel()
    assert lane.ahead(fourth) == 2
    gate.set()
    fourth.result(10)
    assert order == [2, 4]
    with pytest.raises(CancelledError):
        third.result()
    broken = lane.submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        broken.result(10)
    assert lane.submit(int, "7").result(10) == 7


def test_closing_drops_what_has_not_begun() -> None:
    lane, gate = Lane("test"), threading.Event()
    running, waiting = lane.submit(gate.wait, 10), lane.submit(int, "1")
    while not running.running():
        threading.Event().wait(0.001)
    lane.drop()
    assert waiting.cancelled()
    gate.set()
    lane.close()
    assert running.result(0)


def test_whoever_waits_for_what_cannot_be_loaded_gets_the_reason() -> None:
    workshop = Workshop(model="no_such_family")
    workshop.load()
    with pytest.raises(ValueError, match="no_such_family"):
        workshop.loaded.result(60)
    with pytest.raises(ValueError, match="no_such_family"):
        _ = workshop.explorer
    workshop.close()

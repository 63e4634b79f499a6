"""Faults of whole messages between edge and server, invisible to TLS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

Side = Literal["request", "reply"]

SIDES: tuple[Side, Side] = ("request", "reply")

MESSAGE_FAULTS = ("slow", "drop", "truncate", "reorder", "duplicate", "corrupt")


class Later:
    """Future of a call whose request or reply is late or never arrives."""

    def __init__(self) -> None:
        self._real: Any = None
        self._changed: bytes | None = None
        self._listeners: list[Callable[[Any], None]] = []
        self._done = False
        self._lock = threading.Lock()

    def add_done_callback(self, listener: Callable[[Any], None]) -> None:
        """Call a listener when the reply arrives, like a future of grpc."""
        with self._lock:
            if not self._done:
                self._listeners.append(listener)
                return
        listener(self)

    def arrive(self, real: Any, changed: bytes | None = None) -> None:
        """Set the reply, perhaps as changed bytes."""
        with self._lock:
            self._real, self._changed, self._done = real, changed, True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(self)

    def result(self) -> bytes:
        """Return the reply."""
        reply: bytes = self._real.result() if self._changed is None else self._changed
        return reply

    def cancel(self) -> None:
        """Do nothing: a late reply is ignored anyway."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class FaultyMethod:
    """A server's method whose first call has a fault.

    Args:
        real: The method.
        kind: One of `MESSAGE_FAULTS`.
        side: The disturbed side of the call.
        seconds: Delay of `slow` and `reorder`.
        rng: Generator of the places at which messages are cut and changed.
    """

    def __init__(self, real: Any, kind: str, side: Side, seconds: float, rng: np.random.Generator) -> None:
        self._real, self._kind, self._side, self._seconds, self._rng = real, kind, side, seconds, rng
        self.struck = False

    def future(self, data: bytes, timeout: float) -> Any:
        """Call, without waiting for the reply."""
        if self.struck:
            return self._real.future(data, timeout=timeout)
        self.struck = True
        if self._side == "request":
            return self._request(data, timeout)
        return self._reply(data, timeout)

    def _request(self, data: bytes, timeout: float) -> Any:
        match self._kind:
            case "drop":
                return Later()
            case "slow" | "reorder":
                later = Later()
                left = max(0.01, timeout - self._seconds)

                def send() -> None:
                    try:
                        self._real.future(data, timeout=left).add_done_callback(later.arrive)
                    # The channel may have been closed meanwhile.
                    except ValueError:
                        return

                _after(self._seconds, send)
                return later
            case "duplicate":
                self._real.future(data, timeout=timeout)
                return self._real.future(data, timeout=timeout)
            case _:
                return self._real.future(self._changed(data), timeout=timeout)

    def _reply(self, data: bytes, timeout: float) -> Any:
        later, real = Later(), self._real.future(data, timeout=timeout)

        def arrive(real: Any) -> None:
            if self._kind == "drop":
                return
            if self._kind in ("slow", "reorder"):
                _after(self._seconds, lambda: later.arrive(real))
                return
            failed = real.code().name != "OK"
            later.arrive(real, None if failed or self._kind == "duplicate" else self._changed(real.result()))
            if self._kind == "duplicate":
                later.arrive(real)

        real.add_done_callback(arrive)
        return later

    def _changed(self, data: bytes) -> bytes:
        place = int(self._rng.integers(len(data)))
        if self._kind == "truncate":
            return data[:place]
        return data[:place] + bytes([data[place] ^ (1 << int(self._rng.integers(8)))]) + data[place + 1 :]


def _after(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()

"""What can befall whole messages between edge and server, behind any TLS: calls that a test meddles with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

Side = Literal["request", "reply"]

SIDES: tuple[Side, Side] = ("request", "reply")

MESSAGE_FAULTS = ("slow", "drop", "truncate", "reorder", "duplicate", "corrupt")


class Later:
    """The future of a call whose request or reply is on its way for longer, or for ever."""

    def __init__(self) -> None:
        self._real: Any = None
        self._spoilt: bytes | None = None
        self._tell: list[Callable[[Any], None]] = []
        self._done = False
        self._lock = threading.Lock()

    def add_done_callback(self, listener: Callable[[Any], None]) -> None:
        """As a future of grpc's."""
        with self._lock:
            if not self._done:
                self._tell.append(listener)
                return
        listener(self)

    def come(self, real: Any, spoilt: bytes | None = None) -> None:
        """The reply is here, perhaps as other bytes."""
        with self._lock:
            self._real, self._spoilt, self._done = real, spoilt, True
            tell, self._tell = self._tell, []
        for listener in tell:
            listener(self)

    def result(self) -> bytes:
        """The reply."""
        found: bytes = self._real.result() if self._spoilt is None else self._spoilt
        return found

    def cancel(self) -> None:
        """Nobody waits any more."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Meddled:
    """A server's method, the first call of which meets with something.

    Args:
        real: The method.
        kind: One of `MESSAGE_FAULTS`.
        side: What is befallen.
        seconds: By how much `slow` and `reorder` delay.
        rng: Draws where messages are cut and changed.
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
                        self._real.future(data, timeout=left).add_done_callback(later.come)
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

        def come(real: Any) -> None:
            if self._kind == "drop":
                return
            if self._kind in ("slow", "reorder"):
                _after(self._seconds, lambda: later.come(real))
                return
            failed = real.code().name != "OK"
            later.come(real, None if failed or self._kind == "duplicate" else self._changed(real.result()))
            if self._kind == "duplicate":
                later.come(real)

        real.add_done_callback(come)
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

"""Limits on what a server accepts from its peers before it computes anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

CONCURRENT_CALLS = 64
"""Largest number of concurrent calls and streams of a server; gRPC itself refuses more."""

SPOOLED_BYTES = 2 * 2**30
SPOOLED_MESSAGES = 100_000
"""Bytes and messages that a wiretap accepts between two passes; further messages are refused."""


@dataclass(kw_only=True)
class Rate:
    """Rate limit of calls, a token bucket that allows a burst of one second's calls."""

    per_second: float = 1000.0
    clock: Callable[[], float] = time.monotonic
    _tokens: float = field(init=False)
    _updated: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens, self._updated = self.per_second, self.clock()

    def allow(self) -> bool:
        """Return whether one more call is allowed now, and count it if so."""
        with self._lock:
            now = self.clock()
            elapsed = max(0.0, now - self._updated)
            self._tokens = min(self.per_second, self._tokens + elapsed * self.per_second)
            self._updated = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

"""How much a server takes from whoever reaches it, before anything is computed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

CONCURRENT_CALLS = 64
"""Calls and streams that a server has at a time; more are refused by gRPC itself."""

SPOOLED_BYTES = 2 * 2**30
SPOOLED_MESSAGES = 100_000
"""What a wiretap takes between two passes; what would go beyond is refused."""


@dataclass(kw_only=True)
class Rate:
    """Lets so many calls a second through, and a burst of one second's; a bucket of tokens."""

    per_second: float = 1000.0
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _read: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left, self._read = self.per_second, self.clock()

    def allow(self) -> bool:
        """Whether one more call may come in now."""
        with self._lock:
            now = self.clock()
            self._left = min(self.per_second, self._left + max(0.0, now - self._read) * self.per_second)
            self._read = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

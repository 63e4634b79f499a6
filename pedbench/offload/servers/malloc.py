"""Memory that a process keeps between the messages it computes."""

from __future__ import annotations

import ctypes

# Of malloc.h. The mmap threshold can be no higher.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_MAPPED = 32 * 2**20
_MOST_KEPT = 2**30


def keep_freed_memory() -> None:
    """Let this process keep memory that it frees, where the C library is glibc.

    Otherwise it goes back to the system, which has to clear its pages before the next message is computed in them.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _MOST_MAPPED)
        mallopt(_TRIM_THRESHOLD, _MOST_KEPT)

"""Settings of the C library's allocator, if that is glibc: what becomes of freed memory."""

from __future__ import annotations

import ctypes

# Parameter numbers of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# 32 MiB is the largest threshold that glibc accepts.
_MMAP_BYTES = 32 * 2**20
_KEPT_BYTES = 2**30


def keep_freed_memory() -> None:
    """Make this process keep up to 1 GiB of freed memory.

    Otherwise the system takes it back, and has to clear its pages again for the next message.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)

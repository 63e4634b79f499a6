"""Processes of servers: their context, a guard for scripts without one, and freed memory."""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from types import ModuleType

_PRELOAD = ["torch", "grpc", "pedbench.offload.servers.server"]
"""Modules that every server needs and that take seconds to import."""

_LONGEST_FOLDER = 107 - len("/pymp-01234567/listener-01234567")
"""Bytes of a folder's path with which a socket's path in it is short enough for the kernel."""


def server_context() -> ForkServerContext:
    """Return the context that forks servers from a process which has imported their modules.

    That process starts with the first call and imports in the background.

    Raises:
        ValueError: This process may start no others.
    """
    if multiprocessing.current_process().daemon:
        raise ValueError(
            "servers cannot start in a worker of multiprocessing.Pool, which may start no processes: use "
            "concurrent.futures.ProcessPoolExecutor with the context `spawn`, or a process for each run."
        )
    _use_short_paths()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    try:
        with without_main():
            forkserver.ensure_running()
    except ChildProcessError:
        raise ValueError(
            "servers cannot start in a fork of a process that has started some: start this process with the context "
            "`spawn` of multiprocessing."
        ) from None
    return context


def _use_short_paths() -> None:
    """Let multiprocessing keep its sockets in /tmp where TMPDIR is too long for their names."""
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER:
        before = tempfile.tempdir
        tempfile.tempdir = "/tmp"
        try:
            # It keeps to the folder that its first call makes.
            multiprocessing.util.get_temp_dir()
        finally:
            tempfile.tempdir = before


@contextmanager
def without_main() -> Iterator[None]:
    """Keep processes that are started inside from running this process's script again.

    `multiprocessing` runs it for the sake of its definitions, none of which is ever sent here. A script that calls
    `pedbench.run` without a guard would start itself over and over.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


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

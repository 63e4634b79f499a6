"""Starting processes: the context of servers, and a guard for scripts without one."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from types import ModuleType

_PRELOAD = ["torch", "grpc", "segment_anything", "pedbench.offload.servers.server"]
"""Modules that every server needs and that take seconds to import."""


def server_context() -> ForkServerContext:
    """Return the context that forks servers from a process which has imported their modules.

    That process starts with the first call and imports in the background.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    with without_main():
        forkserver.ensure_running()
    return context


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

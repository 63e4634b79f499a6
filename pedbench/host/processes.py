"""Processes that this one starts."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from types import ModuleType

_PRELOAD = ["torch", "grpc", "segment_anything", "pedbench.offload.servers.server"]
"""What every server needs, and takes seconds to import."""


def server_context() -> ForkServerContext:
    """Where servers are forked from: a process that has imported what they need.

    It starts with the first call and imports while this process goes on.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    with without_main():
        forkserver.ensure_running()
    return context


@contextmanager
def without_main() -> Iterator[None]:
    """Keep processes that are started inside from running the script again with which this one was started.

    `multiprocessing` does that for the sake of what the script defines. Nothing of it is ever sent here, and a
    script that calls `pedbench.run` without a guard would start itself over and over.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script

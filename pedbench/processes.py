"""Processes that this one starts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


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

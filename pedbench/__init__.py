"""A benchmark of privacy defenses for offloaded vision: utility, privacy and latency in one table."""

import importlib.machinery
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pedbench.api import run
    from pedbench.result import Result

__all__ = ["Result", "__version__", "run"]
__version__ = "0.2.0"

# Threads that torch computes with spin for some 10 ms behind their work, on cores that other processes of this host may
# wait for: with this, for a third of one. It is read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# onnxruntime reports its use to its maker, and keeps an id of the device in the user's cache, unless this is set before
# it is imported (Privacy.md of 1.32).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_found = sys.modules.get("datasets") or importlib.machinery.PathFinder.find_spec("datasets")
if "datasets" not in sys.modules and _found is not None and getattr(_found, "origin", None) is None:
    # The checkout's folder datasets/ is on the path as a namespace package. Hugging Face libraries
    # would take it for the package of that name; None makes them see that it is not installed.
    sys.modules["datasets"] = None  # type: ignore[assignment]
del _found


def __getattr__(name: str) -> Any:
    """`run` and `Result`, which bring models and statistics along, when they are first asked for."""
    if name == "run":
        from pedbench.api import run

        return run
    if name == "Result":
        from pedbench.result import Result

        return Result
    raise AttributeError(f"module 'pedbench' has no attribute {name!r}")

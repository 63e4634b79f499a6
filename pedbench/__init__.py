"""A benchmark of privacy defenses for offloaded vision: utility, privacy and latency in one table."""

import importlib.machinery
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pedbench.api import run
    from pedbench.engines.view_stream import views
    from pedbench.result import Result

__all__ = ["Result", "__version__", "run", "views"]
__version__ = "0.2.0"

# Threads that torch computes with spin for some 10 ms behind their work, on cores that other processes of this host may
# wait for: with this, for a third of one. It is read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

REPORTS_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Variables by which libraries report no use and look for no updates; most are read at import."""
os.environ.update(REPORTS_OFF)

_found = sys.modules.get("datasets") or importlib.machinery.PathFinder.find_spec("datasets")
if "datasets" not in sys.modules and _found is not None and getattr(_found, "origin", None) is None:
    # The checkout's folder datasets/ is on the path as a namespace package. Hugging Face libraries
    # would take it for the package of that name; None makes them see that it is not installed.
    sys.modules["datasets"] = None  # type: ignore[assignment]
del _found


def __getattr__(name: str) -> Any:
    """Import `run`, `views` and `Result`, which bring models and statistics along, when they are first asked for."""
    if name == "run":
        from pedbench.api import run

        return run
    if name == "Result":
        from pedbench.result import Result

        return Result
    if name == "views":
        from pedbench.engines.view_stream import views

        return views
    raise AttributeError(f"module 'pedbench' has no attribute {name!r}")

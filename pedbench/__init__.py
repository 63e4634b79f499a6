"""A benchmark of privacy defenses for offloaded vision: utility, privacy and latency in one table."""

import importlib.machinery
import os
import sys

__version__ = "0.1.0"

# Threads that torch computes with spin for some 10 ms behind their work, on cores that other processes of this host may
# wait for: with this, for a third of one. It is read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_found = sys.modules.get("datasets") or importlib.machinery.PathFinder.find_spec("datasets")
if "datasets" not in sys.modules and _found is not None and getattr(_found, "origin", None) is None:
    # The checkout's folder datasets/ is on the path as a namespace package. Hugging Face libraries
    # would take it for the package of that name; None makes them see that it is not installed.
    sys.modules["datasets"] = None  # type: ignore[assignment]
del _found

"""The folder of files that the benchmark makes or fetches: scenes, converted weights, training state."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return `$PEDBENCH_HOME`, or `~/.cache/pedbench`; does not create it."""
    return Path(os.environ.get("PEDBENCH_HOME") or Path.home() / ".cache" / "pedbench")

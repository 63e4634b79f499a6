"""Where the benchmark keeps what it makes or fetches: scenes, converted weights, training state."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """`$PEDBENCH_HOME`, or `~/.cache/pedbench`; not created here."""
    return Path(os.environ.get("PEDBENCH_HOME") or Path.home() / ".cache" / "pedbench")

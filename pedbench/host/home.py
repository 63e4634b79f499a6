"""The folder of files that the benchmark makes or fetches: scenes, converted weights, training state."""

from __future__ import annotations

import errno
import os
from pathlib import Path

RANDOM_WEIGHTS = "random-weights"
"""Folder below `home` of networks that stand in for trained ones, enough to time them."""


def home() -> Path:
    """Return `$PEDBENCH_HOME`, or `~/.cache/pedbench`; does not create it.

    Raises:
        OSError: There is no home.
    """
    if named := os.environ.get("PEDBENCH_HOME"):
        return Path(named)
    try:
        return Path.home() / ".cache" / "pedbench"
    except RuntimeError as error:
        raise OSError(f"{error}: set PEDBENCH_HOME to a folder that can be written.") from None


def advice(error: Exception) -> str:
    """Return what to do about an error that a folder below `home` cannot be written; else ""."""
    if (
        isinstance(error, OSError)
        and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        and error.filename
    ):
        place, folder = Path(os.fsdecode(error.filename)).absolute(), home().absolute()
        if place.is_relative_to(folder) or folder.is_relative_to(place):
            return ". Set PEDBENCH_HOME to a folder that can be written."
    return ""

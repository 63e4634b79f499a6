"""Temporary folders that do not outlive their process for long, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

_PREFIX = "pedbench-scratch-"

_SETTLED = 60.0
"""Seconds after which a folder is locked, if its process lives."""


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder that is locked while its process lives, so that others know when to remove it."""

    def __init__(self, purpose: str) -> None:
        sweep()
        super().__init__(prefix=f"{_PREFIX}{purpose}-")
        lock = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, lock)
        # The kernel gives the lock up when the process is killed.
        fcntl.flock(lock, fcntl.LOCK_SH)


def sweep() -> None:
    """Remove the user's folders whose processes were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            state = folder.lstat()
            if state.st_uid != os.getuid() or time.time() - state.st_mtime < _SETTLED:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(descriptor)

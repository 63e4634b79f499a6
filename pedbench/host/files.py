"""Files that are whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Write a file in the place of an earlier one, of which nothing changes if that fails.

    Args:
        content: Text, bytes, or what writes a file at the path that it is given.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if isinstance(content, str):
            partial.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            partial.write_bytes(content)
        else:
            content(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def lock(file: int | IO[bytes] | IO[str], folder: Path, cure: str, *, wait: bool = False) -> None:
    """Lock an open file for this process alone, until it is closed.

    Args:
        folder: Where it lies.
        cure: How to use a folder on another file system.
        wait: Whether to wait for another process that holds the lock.

    Raises:
        BlockingIOError: Another process holds the lock.
        OSError: The folder's file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL):
            raise
        raise OSError(
            f"{folder} is on a file system without locks ({error.strerror}), so two processes could write there at "
            f"the same time: {cure}."
        ) from None

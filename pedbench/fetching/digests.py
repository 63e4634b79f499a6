"""Digests of files."""

from __future__ import annotations

import hashlib
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO


def digest(file: Path) -> str:
    """Return the hex sha256 of a file; read again only if its size or a time of change differ."""
    state = file.stat()
    return _digest(file, state.st_mtime_ns, state.st_ctime_ns, state.st_size)


def fresh_digest(file: Path) -> str:
    """Return the hex sha256 of a file as it is now: of one that was written a moment ago."""
    with file.open("rb") as stream:
        return stream_digest(stream)


def stream_digest(stream: BinaryIO) -> str:
    """Return the hex sha256 of what is left of a stream."""
    found = hashlib.sha256()
    for part in iter(partial(stream.read, 2**20), b""):
        found.update(part)
    return found.hexdigest()


@lru_cache
def _digest(file: Path, modified: int, changed: int, size: int) -> str:
    return fresh_digest(file)

"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


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

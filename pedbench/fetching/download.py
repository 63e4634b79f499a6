"""One file from the network: resumed where it broke off, verified, and in its place only when it is whole."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

from pedbench.fetching.digests import fresh_digest
from pedbench.host.files import lock

TRIES = 3
"""How often a source that breaks off is asked to go on."""

PATIENCE = 30.0
"""Seconds without a byte after which a source counts as gone."""

_PIECE = 1 << 20

Progress = Callable[[int, int | None], None]
"""Told of the bytes that are here and of those that are expected in all."""


class FetchError(OSError):
    """A file could not be had; the message says from where, why, and what to do."""


class _BrokenOff(Exception):
    """The source ended early; what is here is kept."""


def download(
    sources: Sequence[str],
    target: Path,
    *,
    size: int | None = None,
    sha256: str = "",
    progress: Progress = lambda here, whole: None,
    patience: float = PATIENCE,
) -> str:
    """Fetch a file unless it is there.

    Proxies are taken from the environment (`https_proxy` and the like). What has come so far lies beside the target as
    `.part`, and the next call goes on with it.

    Args:
        sources: URLs; one that fails gives way to the next.
        target: Where the file goes.
        size: Expected bytes.
        sha256: Expected digest, or its first digits; "" accepts what comes.
        progress: Called after each piece.
        patience: Seconds without a byte after which a source counts as gone.

    Returns:
        The sha256 of the file.

    Raises:
        FetchError: No source gave the file, the disk is full, or another process fetches it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    reasons = []
    with _own(part) as stream:
        for source in sources:
            try:
                digest = _from(source, stream, size, sha256, progress, patience)
            except FetchError as error:
                reasons.append(f"{source}: {error}")
            else:
                part.replace(target)
                return digest
    listed = "\n".join(reasons)
    raise FetchError(f"{target.name} could not be fetched:\n{listed}")


@contextmanager
def _own(part: Path) -> Iterator[BufferedRandom]:
    """The partial file, opened for this process alone."""
    with part.open("ab+") as stream:
        try:
            lock(stream, part.parent, "set PEDBENCH_HOME to a folder on a local disk")
        except BlockingIOError:
            raise FetchError(f"another process fetches {part.name}; wait for it") from None
        yield stream


def _from(
    source: str, stream: BufferedRandom, size: int | None, sha256: str, progress: Progress, patience: float
) -> str:
    for left in reversed(range(TRIES)):
        try:
            _go_on(source, stream, size, progress, patience)
            break
        except _BrokenOff as error:
            if not left:
                raise FetchError(f"{error}; what has come is kept, and the same command goes on") from error
    stream.flush()
    found = fresh_digest(Path(stream.name))
    here = stream.seek(0, os.SEEK_END)
    if (size is not None and here != size) or not found.startswith(sha256):
        stream.truncate(0)
        expected = f"{size} bytes, sha256 {sha256 or 'unknown'}"
        raise FetchError(
            f"found {here} bytes, sha256 {found}; expected {expected}. What had come was removed"
        )
    return found


def _go_on(
    source: str, stream: BufferedRandom, size: int | None, progress: Progress, patience: float
) -> None:
    """Append what is missing."""
    here = stream.seek(0, os.SEEK_END)
    if size is not None and here == size:
        return
    request = urllib.request.Request(source, headers={"User-Agent": "pedbench"})
    if here:
        request.add_header("Range", f"bytes={here}-")
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            if here and answer.status != http.client.PARTIAL_CONTENT:
                # The source cannot go on: it begins anew.
                here = 0
                stream.truncate(0)
            announced = answer.headers.get("Content-Length")
            whole = here + int(announced) if announced else size
            _check_room(stream, (whole or size or 0) - here)
            # What is there now: a larger piece would be lost with a source that stalls in it.
            while piece := answer.read1(_PIECE):
                stream.write(piece)
                here += len(piece)
                progress(here, whole)
            if whole is not None and here < whole:
                raise _BrokenOff(f"the source ended after {here} of {whole} bytes")
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            # All that there is has come before, or what is here is of another file: the digest tells.
            return
        raise FetchError(f"answered {error.code} {error.reason}") from error
    except OSError as error:
        if isinstance(error, FetchError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(
                "the disk is full; what has come is kept, and the same command goes on"
            ) from error
        reason = getattr(error, "reason", None) or error
        raise _BrokenOff(f"{reason} after {here} bytes") from error
    except http.client.HTTPException as error:
        raise _BrokenOff(f"{type(error).__name__} after {here} bytes") from error


def _check_room(stream: BufferedRandom, needed: int) -> None:
    free = shutil.disk_usage(Path(stream.name).parent).free
    if needed > free:
        raise FetchError(f"{needed} bytes are missing and the disk has room for {free}")

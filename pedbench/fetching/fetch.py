"""Entries of the catalogue: are they here, and if not, fetch, verify and unpack them."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pedbench.fetching.catalogue import HUB, CatalogueFile, Unpack, catalogue, entry, published
from pedbench.fetching.digests import digest
from pedbench.fetching.download import FetchError, Progress, download
from pedbench.host.files import write_atomically
from pedbench.host.home import home

OFFLINE = "PEDBENCH_OFFLINE"
"""Variable that forbids all fetching."""

MIRROR = "PEDBENCH_MIRROR"
"""Variable with a URL below which the files lie by their names, those of the hub by their paths; it is asked first."""

_FULL = 64
"""Digits of a sha256."""

FETCHED = "fetched.json"
"""In pedbench's home: the digests of what was fetched, to which later downloads are held."""


@dataclass(frozen=True, kw_only=True)
class State:
    """Known facts of one file of an entry.

    Attributes:
        path: Where it lies or will lie; of an archive, what was unpacked.
        size: Bytes to come, perhaps rounded, None where unknown; 0 if it is here.
    """

    file: CatalogueFile
    path: Path
    here: bool

    @property
    def size(self) -> int | None:
        return 0 if self.here else self.file.size or self.file.roughly


def states(name: str) -> list[State]:
    """The files of an entry, and whether they are here.

    Raises:
        ValueError: The catalogue has no such entry.
    """
    return [State(file=file, path=_place(file), here=_place(file).exists()) for file in entry(name).files]


def fetch(name: str, tell: Callable[[str], None], progress: Progress) -> list[Path]:
    """Have everything of an entry here.

    Args:
        name: Of the entry.
        tell: Told in sentences what is done.
        progress: Told of bytes.

    Returns:
        Where it lies.

    Raises:
        ValueError: The catalogue has no such entry.
        FetchError: A file could not be had, or is another than it should be.
    """
    found = []
    for state in states(name):
        if state.here:
            tell(f"{state.path} is here")
        else:
            _fetch(name, state, tell, progress)
        found.append(state.path)
    return found


def _fetch(name: str, state: State, tell: Callable[[str], None], progress: Progress) -> None:
    file, target = state.file, home() / state.file.path
    if os.environ.get(OFFLINE):
        raise FetchError(
            f"{OFFLINE} is set and {state.path} is not here: unset it and run `pedbench fetch {name}`, or put the "
            "file there"
        )
    mirror = os.environ.get(MIRROR)
    # Many of the hub's files have the same name.
    named = file.path if file.path.startswith(f"{HUB}/") else target.name
    sources = [*([f"{mirror.rstrip('/')}/{named}"] if mirror else []), *file.sources]
    known = _known()
    if not target.is_file():
        tell(f"fetching {target.name}")
        expected = file.sha256 if len(file.sha256) == _FULL else known.get(file.path, file.sha256)
        found = download(sources, target, size=file.size, sha256=expected, progress=progress)
        if file.path not in known and len(file.sha256) < _FULL:
            tell(
                f"nobody's record of its sha256 is trusted in full: {found} is written down and expected from now on"
            )
        _note(known | {file.path: found})
    if file.unpack is not None:
        tell(f"unpacking {file.unpack.member} into {home() / file.unpack.into}")
        _unpack(target, file.unpack)
        target.unlink()


def _place(file: CatalogueFile) -> Path:
    if file.unpack is None:
        return home() / file.path
    return home() / file.unpack.into / file.unpack.member


def _known() -> dict[str, str]:
    path = home() / FETCHED
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _note(digests: dict[str, str]) -> None:
    path = home() / FETCHED
    write_atomically(path, json.dumps(digests, indent=1, sort_keys=True) + "\n")


def _unpack(archive: Path, what: Unpack) -> None:
    """Take a file or a folder out of an archive; it is in its place only when it is whole."""
    place = home() / what.into / what.member
    partial = home() / what.into / f".{place.name}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as source:
            files = [member for member in source.infolist() if not member.is_dir()]
            folder = what.member.endswith("/")
            members = [
                member
                for member in files
                if member.filename == what.member or (folder and member.filename.startswith(what.member))
            ]
            if not members:
                raise FetchError(f"{archive.name} holds no {what.member}")
            for member in members:
                # Whatever a member's name says, zipfile keeps it below the folder.
                source.extract(member, partial)
        place.parent.mkdir(parents=True, exist_ok=True)
        (partial / what.member).rename(place)
    except zipfile.BadZipFile as error:
        raise FetchError(f"{archive} is no whole archive: {error}; remove it and fetch again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def verified(path: Path) -> bool:
    """Return whether a file, wherever it lies, is one that pedbench's own catalogue names by a full public digest."""
    files = [file for item in published().values() for file in item.files if len(file.sha256) == _FULL]
    trusted = {file.sha256 for file in files if Path(file.path).name == path.name}
    return bool(trusted) and path.is_file() and digest(path) in trusted


def provider(path: Path) -> str:
    """The entry that puts something at a path or below it; "" if none does."""
    for name in catalogue():
        if any(state.path == path or path in state.path.parents for state in states(name)):
            return name
    return ""


def missing(name: str) -> int:
    """Bytes of an entry that are to come, as far as their number is known."""
    return sum(state.size or 0 for state in states(name))

"""The exhibits that a run directory holds, which may come from elsewhere: names and pictures are checked."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from PIL import Image
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pedbench.results.exhibits import FOLDER, LONGEST_SIDE, PICTURE, QUALITY, TRUTH
from pedbench.results.selection import read_selection
from pedbench.suites.cell import PluginIdentity

MOST_PIXELS = 16 * LONGEST_SIDE**2
"""Largest stored picture that is read: a file of a few kilobytes can unpack to more than any memory holds."""

_CURE = "Remove the run's folder exhibits to report it without pictures."
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Content = TypeVar("_Content")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An exhibit as reports read it: paths in the place of pictures.

    Attributes:
        secrets: Each with kind, number, content and box: left, top, width, height as shares of the frame.
        guesses: Identity of the attack, and the path.
    """

    image: str
    secrets: Sequence[Mapping[str, Any]]
    truth: Path
    defense: Mapping[str, Any]
    masks: Path | None
    seen: Path | None
    received: str
    servers: str
    rule: tuple[str, int]
    guesses: Sequence[tuple[Mapping[str, Any], Path]] = field(default=())


@dataclass(frozen=True, kw_only=True)
class _Secret:
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: str
    number: int
    content: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """The content of `picture.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    image: str
    secrets: list[_Secret]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """The content of a defense's file; pictures are names of files beside it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    defense: PluginIdentity
    masks: str | None = None
    seen: str | None = None
    received: str = ""
    servers: str = ""
    rule: tuple[str, int] = ("", 0)
    guesses: list[tuple[PluginIdentity, str]] = field(default_factory=list)


def read_exhibits(run_dir: Path) -> Iterator[Stored]:
    """Yield the exhibits of a run, picture by picture in the order of its selection; none where none were written.

    Raises:
        ValueError: A file says what no exhibit says, or names a file outside of its folder.
    """
    selection = read_selection(run_dir)
    places = {image: place for place, image in enumerate(selection.images if selection else ())}
    found = [
        (_read(_Shown, folder / PICTURE), folder)
        for folder in sorted((run_dir / FOLDER).glob("*/"))
        if (folder / PICTURE).is_file()
    ]
    for picture, folder in sorted(found, key=lambda each: places.get(each[0].image, len(places))):
        for path in sorted(folder.glob("*.json")):
            if path.name == PICTURE:
                continue
            entry = _read(_Entry, path)
            yield Stored(
                image=picture.image,
                secrets=[asdict(secret) for secret in picture.secrets],
                truth=folder / TRUTH,
                defense=asdict(entry.defense),
                masks=_sibling(path, entry.masks) if entry.masks is not None else None,
                seen=_sibling(path, entry.seen) if entry.seen is not None else None,
                received=entry.received,
                servers=entry.servers,
                rule=entry.rule,
                guesses=[(asdict(attack), _sibling(path, file)) for attack, file in entry.guesses],
            )


def encoded_again(path: Path) -> bytes:
    """Return a stored picture as WebP that holds its pixels and nothing else.

    Raises:
        ValueError: The file is no such picture.
    """
    try:
        with Image.open(path, formats=["WEBP"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(
                    f"{image.width} x {image.height} pixels are more than the {MOST_PIXELS} that are read"
                )
            stream = io.BytesIO()
            image.convert("RGB").save(stream, "WEBP", quality=QUALITY, method=0)
    # On broken files, Pillow's decoders raise nearly every kind of exception, and warnings of large ones.
    except Exception as error:
        raise ValueError(f"{path}: is no picture of an exhibit: {error}. {_CURE}") from error
    return stream.getvalue()


def _read(kind: type[_Content], path: Path) -> _Content:
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path}: not an exhibit, at {place}: {first['msg']}. {_CURE}") from None


def _sibling(path: Path, name: str) -> Path:
    """Return the file of a plain name in the folder of another."""
    if name != Path(name).name or not re.fullmatch(r"[A-Za-z0-9_-]+\.webp", name):
        raise ValueError(f"{path}: {name[:80]!r} is no name of a picture beside it. {_CURE}")
    return path.with_name(name)

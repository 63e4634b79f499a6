"""The content of a COCO instances file."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pedbench.data.annotation_store import AnnotationStore
from pedbench.errors import DatasetError
from pedbench.fetching.digests import stream_digest
from pedbench.types import Secret

MOST_DEFECTS = 10_000
"""Largest number of defects of a file that are listed; further ones are counted."""

LARGE = 32 * 2**20
"""Bytes of a file from which on it is read element by element (val2017 has 20 million).

A large file must not hold NaN, infinities or integers beyond 64 bits.
"""

NO_PICTURE = -1
"""Place of annotations that belong to no picture of the file."""

_LONGEST_ID = 1000
"""Letters of a picture's."""

_NEEDED, _OPTIONAL = ("images", "annotations"), ("categories", "secrets")
_DEEPEST = 100
_DEPTH = np.zeros(256, np.int8)
_DEPTH[list(b"[{")], _DEPTH[list(b"]}")] = 1, -1
_USED = ("category_id", "segmentation", "area", "iscrowd")


@dataclass(slots=True)
class Entry:
    """A picture of an instances file.

    Attributes:
        place: Among the file's pictures, from 0.
        size: Height and width.
    """

    place: int
    file_name: Any
    size: tuple[Any, Any]


class InstancesFile:
    """The pictures, annotations and secrets that an instances file lists.

    Args:
        file: The file.

    Attributes:
        entries: Its pictures by id.
        categories: Names by id.
        secrets: Those of the pictures that have any, by the picture's id.
        annotations: The annotations of each picture, by its place.
        defects: Annotations left out, name -> reason.
        lost: Their numbers by reason, of the picture at each place.
        digest: First 12 hexadecimal digits of the file's sha256.

    Raises:
        DatasetError: There is no such file, or it is not a usable instances file.
    """

    def __init__(self, file: Path) -> None:
        self.defects: dict[str, str] = {}
        self.lost: dict[int, Counter[str]] = defaultdict(Counter)
        self.categories: dict[str | None, str] = {}
        self.entries: dict[str, Entry] = {}
        self.secrets: dict[str, list[Secret]] = {}
        self.annotations = AnnotationStore()
        self._unlisted = 0
        try:
            with file.open("rb") as stream:
                self.digest = stream_digest(stream)[:12]
                self._sort_in(_loaded(stream) if stream.tell() < LARGE else _streamed(stream))
        except OSError as error:
            raise DatasetError(
                f"{file}: the annotations cannot be read: {error.strerror or error}."
            ) from None
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise DatasetError(f"{file}: is not JSON of an instances file: {reason}.") from None

    def leave_out(self, name: str, reason: str, place: int = NO_PICTURE) -> None:
        """Note an annotation that cannot be used.

        Args:
            reason: Reasons that differ only after a colon are counted as one.
            place: Place of its picture.
        """
        self.lost[place][reason.partition(": ")[0]] += 1
        self._list(name, reason)

    def _list(self, name: str, reason: str) -> None:
        if name in self.defects or len(self.defects) < MOST_DEFECTS:
            self.defects[name] = reason
        else:
            self._unlisted += 1
            self.defects["further"] = f"{self._unlisted} are left out, too"

    def _sort_in(self, lists: Mapping[str, Iterable[Any]]) -> None:
        for place, image in enumerate(lists["images"]):
            self._sort_in_image(place, image)
        if not self.entries:
            raise ValueError("it lists no images")
        for category in lists["categories"]:
            if isinstance(category, dict):
                self.categories[image_id(category.get("id"))] = str(category.get("name"))
        for place, annotation in enumerate(lists["annotations"]):
            self._sort_in_annotation(place, annotation)
        for number, place, image in self.annotations.close(len(self.entries)):
            self.leave_out(
                f"{number} at place {place}", "another annotation of the file has the same id", image
            )
        for place, secret in enumerate(lists["secrets"]):
            self._sort_in_secret(place, secret)

    def _sort_in_image(self, place: int, image: Any) -> None:
        id = image_id(image.get("id")) if isinstance(image, dict) else None
        if id is None:
            raise ValueError(f"the image at place {place} has no usable id")
        if id in self.entries:
            raise ValueError(f"two images have the id {id}; their annotations cannot be told apart")
        size = (_length(image.get("height")), _length(image.get("width")))
        self.entries[id] = Entry(place=place, file_name=image.get("file_name"), size=size)

    def _sort_in_annotation(self, place: int, annotation: Any) -> None:
        if not isinstance(annotation, dict):
            self.leave_out(f"the one at place {place}", "it is no object")
            return
        image = self.entries.get(image_id(annotation.get("image_id")) or "")
        number = _number(annotation.get("id"))
        if number is None:
            panoptic = "it is panoptic, in place of an instance" if "segments_info" in annotation else ""
            owner = image.place if image else NO_PICTURE
            self.leave_out(f"the one at place {place}", panoptic or "it has no integer id", owner)
            return
        if image is None:
            self.leave_out(str(number), f"its image is not listed: {short(annotation.get('image_id'))}")
            return
        used = {key: annotation[key] for key in _USED if key in annotation}
        self.annotations.add(used | {"id": number}, image=image.place, place=place, number=number)

    def _sort_in_secret(self, place: int, secret: Any) -> None:
        try:
            id = str(secret["image_id"])
            if id not in self.entries:
                raise KeyError(id)
            left, top, width, height = (float(value) for value in secret["bbox"])
            box = (left, top, width, height)
            if secret["kind"] not in ("text", "face") or not isinstance(secret["content"], str):
                raise ValueError("a secret is a text or a face with a content in words")
            if not all(map(math.isfinite, box)):
                raise ValueError(f"the box of a secret is {box}")
            found = Secret(kind=secret["kind"], content=secret["content"], box=box)
            self.secrets.setdefault(id, []).append(found)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self._list(f"secret at place {place}", f"{type(error).__name__}: {error}")


def _loaded(stream: BinaryIO) -> dict[str, list[Any]]:
    """Load the lists of a file at once.

    Raises:
        ValueError: The file is no JSON object, or lacks a list.
    """
    stream.seek(0)
    data = json.loads(stream.read())
    if not isinstance(data, dict):
        raise ValueError("it is no object")
    lists: dict[str, Any] = {key: [] for key in _OPTIONAL if data.get(key) is None} | data
    for key in (*_NEEDED, *_OPTIONAL):
        if not isinstance(lists.get(key), list):
            raise ValueError(f"there is no list under {key!r}")
    return lists


def _streamed(stream: BinaryIO) -> dict[str, Iterator[Any]]:
    """Return iterators over the lists of a file, each of which reads the whole of it.

    Raises:
        ValueError: Its values lie too deep in each other.
    """
    _refuse_depth(stream)
    return {key: _elements(stream, key) for key in (*_NEEDED, *_OPTIONAL)}


def _elements(stream: BinaryIO, key: str) -> Iterator[Any]:
    import ijson

    stream.seek(0)
    some = False
    try:
        for element in ijson.items(stream, f"{key}.item", use_float=True, buf_size=2**20):
            some = True
            yield element
    except ijson.JSONError as error:
        raise ValueError(str(error)) from None
    if not some and key in _NEEDED:
        raise ValueError(f"there is no list under {key!r}, or nothing in it")


def _refuse_depth(stream: BinaryIO) -> None:
    """Raise if values lie too deep in each other: ijson's memory grows with the square of the depth."""
    stream.seek(0)
    depth, quotes, rest = 0, 0, b""
    while part := stream.read(2**16):
        text = (rest + part).replace(b"\\\\", b"  ")
        rest = b"\\" if text.endswith(b"\\") else b""
        codes = np.frombuffer(text.replace(b'\\"', b"  "), np.uint8)
        counts = quotes % 2 + np.cumsum(codes == ord('"'), dtype=np.int32)
        depths = depth + np.cumsum(np.where(counts % 2, 0, _DEPTH[codes]), dtype=np.int32)
        if depths.max() > _DEEPEST:
            raise ValueError(f"values lie more than {_DEEPEST} deep in each other")
        depth, quotes = int(depths[-1]), int(counts[-1])


def short(value: Any) -> str:
    """A foreign value as messages show it."""
    return repr(value)[:80]


def image_id(value: Any) -> str | None:
    """An id as text; None for what cannot be one, such as a name that no file or table could hold."""
    if isinstance(value, str):
        return value if 0 < len(value) <= _LONGEST_ID and value.isprintable() else None
    return str(value) if type(value) is int else None


def _length(value: Any) -> Any:
    """Return a side of a picture, which some programs write as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _number(value: Any) -> int | None:
    """An annotation's id: an integer, or a string of digits, that fits into 64 bits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if type(value) is int and abs(value) < 2**63 else None

"""The content of a COCO instances file, as far as it has to be known before a picture is asked for."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pedbench.data.coco_index import AnnotationIndex
from pedbench.data.json_stream import ArrayStream, Element
from pedbench.errors import DatasetError
from pedbench.types import Secret

MOST_DEFECTS = 10_000
"""Of a file that are listed; of more only the number is."""

_LONGEST_ID = 1000
"""Letters of a picture's."""

_KEYS = ("images", "categories", "annotations", "secrets")


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
    secrets: list[Secret] = field(default_factory=list)


class InstancesFile:
    """An instances file, of whose annotations only the places are kept.

    Args:
        file: The file.

    Attributes:
        entries: Its pictures by id.
        categories: Names by id.
        annotations: The annotations of each picture, by its place.
        defects: Annotations left out, name -> reason.
        digest: First 12 hexadecimal digits of the file's sha256.

    Raises:
        DatasetError: There is no such file, or it is not a usable instances file.
    """

    def __init__(self, file: Path) -> None:
        self.defects: dict[str, str] = {}
        self.categories: dict[str | None, str] = {}
        self.entries: dict[str, Entry] = {}
        self._unlisted = 0
        try:
            self.annotations = AnnotationIndex(file)
            self.digest = self._load(file)
        except OSError as error:
            raise DatasetError(
                f"{file}: the annotations cannot be read: {error.strerror or error}."
            ) from None
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{file}: is not JSON of an instances file: {error}.") from None

    def leave_out(self, name: str, reason: str) -> None:
        """Note an annotation that cannot be used."""
        if name in self.defects or len(self.defects) < MOST_DEFECTS:
            self.defects[name] = reason
        else:
            self._unlisted += 1
            self.defects["further"] = f"{self._unlisted} are left out, too"

    def _load(self, file: Path) -> str:
        stream = ArrayStream(file, _KEYS)
        late = set()
        for element in stream:
            if element.key in ("annotations", "secrets") and "images" not in stream.arrays:
                late.add(element.key)
            else:
                self._sort_in(element)
        self._check(stream.arrays)
        for element in ArrayStream(file, late) if late else ():
            self._sort_in(element)
        for number, place in self.annotations.close(len(self.entries)):
            self.leave_out(f"{number} at place {place}", "another annotation has the same id")
        return stream.digest[:12]

    def _check(self, arrays: Collection[str]) -> None:
        for key in ("images", "annotations"):
            if key not in arrays:
                raise ValueError(f"there is no list under {key!r}")
        if not self.entries:
            raise ValueError("it lists no images")

    def _sort_in(self, element: Element) -> None:
        match element.key:
            case "images":
                self._sort_in_image(element)
            case "categories" if isinstance(element.value, dict):
                id = image_id(element.value.get("id"))
                self.categories[id] = str(element.value.get("name"))
            case "annotations":
                self._sort_in_annotation(element)
            case "secrets":
                self._sort_in_secret(element)

    def _sort_in_image(self, element: Element) -> None:
        image = element.value
        id = image_id(image.get("id")) if isinstance(image, dict) else None
        if id is None:
            raise ValueError(f"the image at place {element.place} has no usable id")
        if id in self.entries:
            raise ValueError(f"two images have the id {id}; their annotations cannot be told apart")
        self.entries[id] = Entry(
            place=element.place,
            file_name=image.get("file_name"),
            size=(image.get("height"), image.get("width")),
        )

    def _sort_in_annotation(self, element: Element) -> None:
        annotation = element.value
        number = _number(annotation.get("id")) if isinstance(annotation, dict) else None
        if number is None:
            self.leave_out(f"the one at place {element.place}", "it has no integer id")
            return
        image = self.entries.get(image_id(annotation.get("image_id")) or "")
        if image is None:
            self.leave_out(str(number), f"there is no image {short(annotation.get('image_id'))}")
            return
        self.annotations.add(
            image=image.place, place=element.place, number=number, start=element.start, size=element.size
        )

    def _sort_in_secret(self, element: Element) -> None:
        secret = element.value
        try:
            entry = self.entries[str(secret["image_id"])]
            left, top, width, height = (float(value) for value in secret["bbox"])
            box = (left, top, width, height)
            if secret["kind"] not in ("text", "face") or not isinstance(secret["content"], str):
                raise ValueError("a secret is a text or a face with a content in words")
            if not all(map(math.isfinite, box)):
                raise ValueError(f"the box of a secret is {box}")
            entry.secrets.append(Secret(kind=secret["kind"], content=secret["content"], box=box))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self.leave_out(f"secret at place {element.place}", f"{type(error).__name__}: {error}")


def short(value: Any) -> str:
    """A foreign value as messages show it."""
    return repr(value)[:80]


def image_id(value: Any) -> str | None:
    """An id as text; None for what cannot be one, such as a name that no file or table could hold."""
    if isinstance(value, str):
        return value if 0 < len(value) <= _LONGEST_ID and value.isprintable() else None
    return str(value) if type(value) is int else None


def _number(value: Any) -> int | None:
    """An annotation's id: an integer, or a string of digits, that fits into 64 bits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if type(value) is int and abs(value) < 2**63 else None

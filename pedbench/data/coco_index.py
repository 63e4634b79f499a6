"""Where in an instances file the annotations of each picture stand: some 30 bytes for each of them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.errors import DatasetError


class AnnotationIndex:
    """The annotations of an instances file, read when they are asked for.

    Args:
        file: The instances file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state = _state(file)
        self._images, self._places, self._sizes = array("i"), array("i"), array("i")
        self._numbers, self._starts = array("q"), array("q")
        self._order: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._bounds: npt.NDArray[np.int64] = np.zeros(1, np.int64)

    def add(self, *, image: int, place: int, number: int, start: int, size: int) -> None:
        """Note an annotation.

        Args:
            image: Number of its picture, from 0.
            place: Of it among all annotations.
            number: Its id.
            start: Its first byte in the file.
            size: Its number of bytes.
        """
        self._images.append(image)
        self._places.append(place)
        self._numbers.append(number)
        self._starts.append(start)
        self._sizes.append(size)

    def close(self, images: int) -> Iterator[tuple[int, int]]:
        """Sort by picture what was noted.

        Args:
            images: How many pictures there are.

        Yields:
            Id and place of each annotation that is left out, as one before it has the same id.
        """
        of = np.frombuffer(self._images, np.int32)
        numbers = np.frombuffer(self._numbers, np.int64)
        first = np.zeros(len(numbers), np.bool_)
        first[np.unique(numbers, return_index=True)[1]] = True
        kept = np.flatnonzero(first)
        self._order = kept[np.argsort(of[kept], kind="stable")]
        self._bounds = np.searchsorted(of[self._order], np.arange(images + 1))
        for row in np.flatnonzero(~first):
            yield self._numbers[row], self._places[row]

    def of(self, image: int) -> Iterator[dict[str, Any]]:
        """Read the annotations of a picture in their order, each with its id as a number.

        Raises:
            DatasetError: The file is not what it was.
        """
        rows = self._order[self._bounds[image] : self._bounds[image + 1]].tolist()
        if not rows:
            return
        if _state(self._file) != self._state:
            raise DatasetError(f"{self._file}: has changed since the run began; start it again.")
        with self._file.open("rb") as stream:
            for row in rows:
                stream.seek(self._starts[row])
                text = stream.read(self._sizes[row]).decode("utf-8", "surrogatepass")
                yield json.loads(text) | {"id": self._numbers[row]}


def _state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns

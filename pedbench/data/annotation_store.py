"""The annotations of an instances file, in a temporary file; 24 bytes of memory for each of them."""

from __future__ import annotations

import marshal
import os
import weakref
from array import array
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt


class AnnotationStore:
    """Annotations that are written one after another, and read by picture."""

    def __init__(self) -> None:
        self._file = TemporaryFile(prefix="pedbench-annotations-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._images, self._places = array("i"), array("i")
        self._numbers, self._starts = array("q"), array("q", [0])
        self._order: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._bounds: npt.NDArray[np.int64] = np.zeros(1, np.int64)

    def add(self, annotation: dict[str, Any], *, image: int, place: int, number: int) -> None:
        """Write an annotation.

        Args:
            annotation: What `of` returns.
            image: Place of its picture among the pictures, from 0.
            place: Its place in the instances file, from 0.
            number: Its id.

        Raises:
            ValueError: Its values lie too deep in each other.
        """
        self._starts.append(self._starts[-1] + self._file.write(marshal.dumps(annotation)))
        self._images.append(image)
        self._places.append(place)
        self._numbers.append(number)

    def close(self, images: int) -> Iterator[tuple[int, int, int]]:
        """Sort by picture what was added.

        Args:
            images: Number of pictures.

        Yields:
            Id, place and picture of each annotation that is left out, because one before it has the same id.
        """
        self._file.flush()
        of = np.frombuffer(self._images, np.int32)
        numbers = np.frombuffer(self._numbers, np.int64)
        repeated = np.zeros(len(numbers), np.bool_)
        repeated[_later_equals(numbers)] = True
        order = np.argsort(of, kind="stable")
        self._order = order[~repeated[order]]
        self._bounds = np.searchsorted(of[self._order], np.arange(images + 1))
        for row in np.flatnonzero(repeated):
            yield self._numbers[row], self._places[row], self._images[row]

    def of(self, image: int) -> Iterator[dict[str, Any]]:
        """Read the annotations of the picture at a place, in the order of the instances file."""
        for row in self._order[self._bounds[image] : self._bounds[image + 1]].tolist():
            start, end = self._starts[row], self._starts[row + 1]
            yield marshal.loads(os.pread(self._file.fileno(), end - start, start))


def _later_equals(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the places of numbers that have come before; `np.unique` takes twice the memory."""
    order = np.argsort(numbers, kind="stable")
    ascending = numbers[order]
    later: npt.NDArray[np.int64] = order[1:][ascending[1:] == ascending[:-1]]
    return later

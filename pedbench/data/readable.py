"""Base of datasets that read files: their error, and the choice of pictures that can be read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from pedbench.base import Dataset
from pedbench.pictures.files import PictureError
from pedbench.types import Sample


@dataclass(frozen=True, kw_only=True)
class AnnotationCounts:
    """How many annotations can be used, and how many were left out by reason."""

    used: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of annotations, usable or not."""
        return self.used + sum(self.lost.values())

    def __str__(self) -> str:
        reasons = "; ".join(f"{count}: {reason}" for reason, count in self.lost.items())
        return f"{self.total - self.used} of {self.total} annotations were left out ({reasons})"


class ReadableIds(Sequence[str]):
    """Ids of the pictures that can be read, in the order of the candidates.

    Whether a picture can be read shows only when it is decoded to its end. So pictures are tried on demand:
    the first n ids cost n readings, `len` costs one of every candidate.

    Args:
        candidates: Ids of all pictures.
        read: Reads the picture of an id; raises `PictureError` when it cannot.
    """

    def __init__(self, candidates: Sequence[str], read: Callable[[str], object]) -> None:
        self._candidates = candidates
        self._read = read
        self._tried = 0
        self._readable: list[str] = []
        self.left_out: dict[str, str] = {}
        """Reasons of the unreadable ones among the candidates tried so far, by id."""

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        needed = index.stop if isinstance(index, slice) else index + 1
        backwards = isinstance(index, slice) and (index.step or 1) < 0
        first = index.start if isinstance(index, slice) else index
        if needed is None or backwards or needed < 0 or (first or 0) < 0:
            needed = len(self._candidates)
        self._try(needed)
        return self._readable[index]

    def __len__(self) -> int:
        self._try(len(self._candidates))
        return len(self._readable)

    def __iter__(self) -> Iterator[str]:
        place = 0
        while self._try(place + 1):
            yield self._readable[place]
            place += 1

    def _try(self, needed: int) -> bool:
        """Try candidates until `needed` readable ones are known; whether there are as many."""
        while len(self._readable) < needed and self._tried < len(self._candidates):
            candidate = self._candidates[self._tried]
            try:
                self._read(candidate)
            except PictureError as error:
                self.left_out[candidate] = str(error)
            else:
                self._readable.append(candidate)
            self._tried += 1
        return len(self._readable) >= needed


@dataclass(kw_only=True)
class FileDataset(Dataset):
    """A dataset whose pictures lie in files, any of which may turn out to be unreadable."""

    @property
    @abstractmethod
    def readable(self) -> ReadableIds:
        """Ids of the pictures that can be read."""

    @abstractmethod
    def sample(self, id: str) -> Sample:
        """Read the sample of an id, without trying the pictures before it.

        Raises:
            PictureError: The picture cannot be read.
        """

    @property
    def left_out(self) -> Mapping[str, str]:
        """Unreadable pictures, id -> reason; complete up to the last id that was asked for."""
        return self.readable.left_out

    @property
    def defects(self) -> Mapping[str, str]:
        """Annotations left out, name -> reason; complete for the samples read."""
        return {}

    @property
    def counts(self) -> AnnotationCounts:
        """Annotations of the pictures read so far."""
        return AnnotationCounts()

    def ids(self) -> Sequence[str]:
        """Ids of the readable pictures in their order; asking for the first n tries only as many pictures."""
        return self.readable

    def __getitem__(self, index: int) -> Sample:
        return self.sample(self.readable[index])

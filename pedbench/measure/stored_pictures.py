"""Pictures that wait in a file instead of in memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Hashable, Iterator, MutableMapping
from typing import TypeVar

import numpy as np

from pedbench.types import Picture

K = TypeVar("K", bound=Hashable)


class StoredPictures(MutableMapping[K, Picture]):
    """Pictures (H, W, 3) of float32 by key, in a file without a name, which ends with the process however that ends.

    Each look returns a new array, so a change of it changes nothing here. Several threads may look at the same time.
    """

    def __init__(self) -> None:
        # Unbuffered, as every picture is written and read in one piece.
        self._file = tempfile.TemporaryFile(prefix="pedbench-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._places: dict[K, tuple[int, tuple[int, ...]]] = {}
        self._end = 0

    def __setitem__(self, key: K, picture: Picture) -> None:
        data = np.ascontiguousarray(picture, np.float32)
        if os.pwrite(self._file.fileno(), data.data, self._end) != data.nbytes:
            raise OSError(
                f"no room for guesses in {tempfile.gettempdir()}: free some, or name another folder by TMPDIR"
            )
        self._places[key] = self._end, data.shape
        self._end += data.nbytes

    def __getitem__(self, key: K) -> Picture:
        start, shape = self._places[key]
        picture = np.empty(shape, np.float32)
        if os.preadv(self._file.fileno(), [picture.data], start) != picture.nbytes:
            raise OSError(f"a temporary file in {tempfile.gettempdir()} has lost a guess")
        return picture

    def __delitem__(self, key: K) -> None:
        del self._places[key]

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[K]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

"""Long JSON files, element by element, in as much memory as the longest element takes."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, BinaryIO

LONGEST = 16 * 2**20
"""Letters of one element; a longer one is refused."""

_STEP = 2**20
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder()
_MARK = codecs.BOM_UTF8


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """An element of an array.

    Attributes:
        key: Of the object, whose array it is.
        place: In the array, from 0.
        start: First byte in the file.
        size: Number of bytes.
    """

    key: str
    place: int
    value: Any
    start: int
    size: int


class ArrayStream:
    """The elements of the arrays that a file's one JSON object holds under some keys.

    Args:
        path: The file, in UTF-8.
        keys: Of the arrays; others are read and dropped.

    Attributes:
        arrays: Those of the keys whose array was read to its end.
        digest: Hex sha256 of the file, once that is at its end.
    """

    def __init__(self, path: Path, keys: Collection[str]) -> None:
        self._path = path
        self._keys = keys
        self.arrays: set[str] = set()
        self.digest = ""

    def __iter__(self) -> Iterator[Element]:
        """Read the file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no JSON object, an element is too long, or one of the keys has two arrays
                or something else than one.
            RecursionError: Its values lie too deep in each other.
        """
        with self._path.open("rb") as stream:
            text = _Text(stream)
            if not text.at("{"):
                raise ValueError("the file does not begin with an object")
            text.take("{")
            while not text.at("}"):
                key = text.value()[0]
                if not isinstance(key, str):
                    raise ValueError(f"expected a key at byte {text.byte}, found {str(key)[:40]}")
                text.take(":")
                if text.at("["):
                    yield from self._array(key, text)
                elif text.value()[0] is not None and key in self._keys:
                    raise ValueError(f"{key!r} is no array")
                if not text.at("}"):
                    text.take(",", then='"')
            text.take("}")
            self.digest = text.end()

    def _array(self, key: str, text: _Text) -> Iterator[Element]:
        wanted = key in self._keys
        if wanted and key in self.arrays:
            raise ValueError(f"two arrays are called {key!r}")
        text.take("[")
        place = 0
        while not text.at("]"):
            value, start, size = text.value()
            if wanted:
                yield Element(key=key, place=place, value=value, start=start, size=size)
                place += 1
            if not text.at("]"):
                text.take(",")
                if text.at("]"):
                    raise ValueError(f"an element is missing at byte {text.byte}")
        text.take("]")
        if wanted:
            self.arrays.add(key)


class _Text:
    """What is left of a file's text, of which only a part is in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        self._part = ""
        self._place = 0
        self._over = False
        self.byte = 0
        """Of the file, where the rest begins."""
        first = stream.read(len(_MARK))
        self._digest.update(first)
        self.byte = len(first) if first == _MARK else 0
        self._part = "" if first == _MARK else self._decoder.decode(first)

    def at(self, letter: str) -> bool:
        """Whether a letter comes next, after space."""
        self._skip(_SPACE.match(self._part, self._place).end())  # type: ignore[union-attr]
        while self._place == len(self._part) and self._more():
            self._skip(_SPACE.match(self._part, self._place).end())  # type: ignore[union-attr]
        return self._part.startswith(letter, self._place)

    def take(self, letter: str, then: str = "") -> None:
        """Read a letter.

        Args:
            letter: What has to come next, after space.
            then: What has to come after it; anything without it.
        """
        if not self.at(letter):
            found = self._part[self._place : self._place + 1]
            raise ValueError(f"expected {letter!r} at byte {self.byte}, found {found!r}")
        self._skip(self._place + 1)
        if then and not self.at(then):
            raise ValueError(f"expected {then!r} at byte {self.byte}")

    def value(self) -> tuple[Any, int, int]:
        """Read a value: with its first byte and its number of bytes."""
        self.at("")
        while True:
            problem = f"a value does not end, or is none, at byte {self.byte}"
            try:
                found, end = _DECODER.raw_decode(self._part, self._place)
            except JSONDecodeError as error:
                problem = f"{error.msg} in the value at byte {self.byte}"
            else:
                # What seems a whole number may go on.
                follower = _SPACE.match(self._part, end).end()  # type: ignore[union-attr]
                if self._part[follower : follower + 1] in {",", "]", "}", ":"}:
                    start = self.byte
                    self._skip(end)
                    return found, start, self.byte - start
            if len(self._part) - self._place > LONGEST:
                raise ValueError(f"the value at byte {self.byte} is wrong, or longer than {LONGEST} letters")
            if not self._more():
                raise ValueError(problem)

    def end(self) -> str:
        """Read what is left, which has to be space.

        Returns:
            Hex sha256 of the file.
        """
        self.at("")
        if self._place < len(self._part):
            raise ValueError(f"the object ends before byte {self.byte}, and the file goes on")
        return self._digest.hexdigest()

    def _skip(self, place: int) -> None:
        if place > self._place:
            passed = self._part[self._place : place]
            self.byte += len(passed) if passed.isascii() else len(passed.encode("utf-8", "surrogatepass"))
            self._place = place

    def _more(self) -> bool:
        """Read on, at least as much as there is; whether anything came."""
        if self._over:
            return False
        left = self._part[self._place :]
        data = self._stream.read(max(_STEP, len(left)))
        self._digest.update(data)
        self._over = not data
        self._part, self._place = left + self._decoder.decode(data, final=not data), 0
        return len(self._part) > len(left) or not self._over

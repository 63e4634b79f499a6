"""What can be fetched: names, files, sizes, digests, licences."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pedbench.parameters import suggestion

FILE = Path(__file__).parent / "catalogue.toml"

Relative = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*/?$")]
"""A path without a way out of its folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Unpack(_Strict):
    """What is taken out of an archive.

    Attributes:
        member: A file in it, or a folder, which ends with a slash.
        into: The folder that gets it, under its own name.
    """

    member: Relative
    into: Relative


class CatalogueFile(_Strict):
    """One download.

    Attributes:
        path: Where it lies, below pedbench's home.
        size: In bytes; None where no record is trusted.
        sha256: The digest or its first digits; "" where no record is trusted.
        sources: URLs, the first to be tried first.
    """

    path: Relative
    size: int | None = Field(default=None, gt=0)
    sha256: str = Field(default="", pattern="^([0-9a-f]{8}|[0-9a-f]{64})?$")
    sources: list[Annotated[str, Field(pattern="^https?://")]] = Field(min_length=1)
    unpack: Unpack | None = None


class Entry(_Strict):
    """What is fetched under one name."""

    about: str
    licence: str
    files: list[CatalogueFile] = Field(min_length=1)


@cache
def catalogue() -> dict[str, Entry]:
    """All entries by name."""
    adapter = TypeAdapter(dict[str, Entry])
    return adapter.validate_python(tomllib.loads(FILE.read_text(encoding="utf-8")))


def entry(name: str) -> Entry:
    """The entry of a name.

    Raises:
        ValueError: There is none; the message suggests the nearest.
    """
    known = catalogue()
    if name not in known:
        raise ValueError(
            f"the catalogue has no {name!r}{suggestion(name, known)}. It has: {', '.join(known)}."
        )
    return known[name]

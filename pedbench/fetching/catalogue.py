"""Catalogue of what can be fetched: names, files, sizes, digests, licences."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import tomli
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from pedbench.errors import suggestion

FILE = Path(__file__).parent / "catalogue.toml"

OWN = "PEDBENCH_CATALOGUE"
"""Variable that names a catalogue file, in the form of `FILE`, whose entries replace published ones by name."""

HUB = "hub"
"""Below pedbench's home: folders OWNER/NAME of the Hugging Face hub's repositories."""

Relative = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*/?$")]
"""A path without a way out of its folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Unpack(_Strict):
    """Files that are taken out of an archive.

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
        roughly: Likewise, as a listing rounds it: for what is told beforehand, never checked.
        sha256: The digest or its first digits; "" where no record is trusted.
        sources: URLs, the first to be tried first.
    """

    path: Relative
    size: int | None = Field(default=None, gt=0)
    roughly: int | None = Field(default=None, gt=0)
    sha256: str = Field(default="", pattern="^([0-9a-f]{8}|[0-9a-f]{64})?$")
    sources: list[Annotated[str, Field(pattern="^https?://")]] = Field(min_length=1)
    unpack: Unpack | None = None


class Entry(_Strict):
    """Files that are fetched under one name.

    Attributes:
        repository: OWNER/NAME on the Hugging Face hub, under which suites name it; "" for what lies elsewhere.
        revision: The repository's commit.
    """

    about: str
    licence: str
    repository: str = Field(default="", pattern=r"^([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)?$")
    revision: str = Field(default="", pattern="^([0-9a-f]{40})?$")
    files: list[CatalogueFile] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _on_the_hub(cls, entry: Any) -> Any:
        """Files of a repository say no more than where they lie in it."""
        if not isinstance(entry, dict) or "repository" not in entry:
            return entry
        repository = entry["repository"]
        source = f"https://huggingface.co/{repository}/resolve/{entry['revision']}"
        files = [
            file | {"path": f"{HUB}/{repository}/{file['path']}", "sources": [f"{source}/{file['path']}"]}
            for file in entry["files"]
        ]
        return entry | {"files": files}


@cache
def published() -> dict[str, Entry]:
    """Return the entries that pedbench publishes, by name."""
    return _read(FILE)


@cache
def catalogue() -> dict[str, Entry]:
    """Return all entries by name: the published ones, and in their place those of the file that `OWN` names.

    Raises:
        ValueError: That file is no catalogue, or an entry in it has other paths than the published one.
    """
    named = os.environ.get(OWN)
    if not named:
        return published()
    try:
        own = _read(Path(named))
    except (OSError, ValueError) as error:
        raise ValueError(f"{OWN}={named}: expected a file like {FILE}; {error}") from None
    for name, item in own.items():
        paths = [file.path for file in item.files]
        expected = [file.path for file in published()[name].files] if name in published() else paths
        if paths != expected:
            raise ValueError(f"{OWN}={named}: {name} has the files {paths}, expected {expected}.")
    return {**published(), **own}


def _read(file: Path) -> dict[str, Entry]:
    return TypeAdapter(dict[str, Entry]).validate_python(tomli.loads(file.read_text(encoding="utf-8")))


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


def name_of(repository: str) -> str:
    """The entry's name of a repository of the hub; "" if the catalogue does not have it."""
    return next((name for name, item in catalogue().items() if item.repository == repository != ""), "")

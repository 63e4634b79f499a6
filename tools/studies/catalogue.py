"""Table of the files that can be fetched, for docs/reference/models.md: `python -m tools.studies.catalogue`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pedbench.fetching.catalogue import HUB, CatalogueFile, Entry, catalogue
from pedbench.report.words.text import NOTHING, code, table
from tools.documents.measured_blocks import measured

SETTINGS = (".json", ".txt")
"""Suffixes of small files next to weights, which the table leaves out."""

PREFIX = 8
"""Length of a digest in a file's name."""


def fetchable() -> str:
    """Tabulate the catalogue: one row per file of weights or data."""
    lines = [
        [
            code(name),
            item.about,
            item.licence,
            _source(item, file),
            _size(file),
            _digest(file.sha256),
        ]
        for name, item in catalogue().items()
        for file in item.files
        if Path(file.path).suffix not in SETTINGS
    ]
    return table(["name", "what", "licence", "source", "size", "sha256"], lines, left=4)


def _source(item: Entry, file: CatalogueFile) -> str:
    if not item.repository:
        return code(urlsplit(file.sources[0]).netloc)
    inner = file.path.removeprefix(f"{HUB}/{item.repository}/")
    return f"hub: {code(item.repository)} at {code(item.revision[:7])}, {code(inner)}"


def _size(file: CatalogueFile) -> str:
    size = file.size or file.roughly
    return NOTHING if size is None else f"{size / 1e6:,.0f} MB"


def _digest(sha256: str) -> str:
    if len(sha256) > PREFIX:
        return code(f"{sha256[:12]}...")
    return f"{code(sha256)}, from its name" if sha256 else "recorded when fetched"


if __name__ == "__main__":
    measured("reference/models.md", "catalogue")(fetchable)()

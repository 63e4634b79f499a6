"""The table of what can be fetched, for docs/models.md: `python -m docs.catalogue`."""

from __future__ import annotations

from pathlib import Path

from docs.blocks import replace_block
from pedbench.fetching.catalogue import catalogue
from pedbench.report.text import NOTHING, code, table


def fetchable() -> str:
    """A line a file, from the catalogue."""
    lines = [
        [
            code(name),
            item.about,
            item.licence,
            NOTHING if file.size is None else f"{file.size / 1e6:,.0f} MB",
            code(f"{file.sha256[:12]}...")
            if len(file.sha256) > 12
            else f"{code(file.sha256)}, from its name",
        ]
        for name, item in catalogue().items()
        for file in item.files
    ]
    return table(["name", "what", "licence", "size", "sha256"], lines, left=3)


if __name__ == "__main__":
    replace_block(Path(__file__).parent / "models.md", "catalogue", fetchable())

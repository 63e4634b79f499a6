"""The pages of the site, laid out as in the repository, so that their links lead to the same files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent

_ROOT_PAGES = {
    "README.md": "index.md",
    **{name: name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")},
}

_SECTIONS = ("guide", "extend", "reference", "measured", "notebooks")
"""Folders of documents in the order of the navigation."""

_LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")


def stage(pages: Path) -> None:
    """Copy the documents, and the files of the repository that they link, into an empty folder."""
    shutil.copytree(ROOT / "docs", pages / "docs")
    shutil.copytree(FOLDER / "api", pages / "api")
    shutil.copy(FOLDER / "tables.css", pages)
    for source, name in _ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (pages / name).write_text(text, encoding="utf-8")
    for notebook in sorted(pages.glob("docs/notebooks/*.ipynb")):
        notebook.with_suffix(".md").write_text(_notebook_page(notebook), encoding="utf-8")
    for page in sorted(pages.rglob("*.md")):
        for target in _linked(page):
            file = target.relative_to(pages)
            if not target.exists() and (ROOT / file).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, target)


def _linked(page: Path) -> Iterator[Path]:
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        yield (page.parent / match[1]).resolve()


def _notebook_page(notebook: Path) -> str:
    """Return a notebook as Markdown, with a link to the notebook itself."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    title, *rest = parts
    return "\n\n".join([title, f"[The notebook]({notebook.name}) to run.", *rest]) + "\n"


def navigation(pages: Path, further: Sequence[str]) -> list[dict[str, Any]]:
    """Return the navigation: home, each folder of documents, the API, and further pages."""
    entries: list[dict[str, Any]] = [{"Home": "index.md"}]
    entries += [{_title(pages / file): file} for file in further]
    for section in (*(f"docs/{name}" for name in _SECTIONS), "api"):
        files = sorted(file.relative_to(pages) for file in (pages / section).glob("*.md"))
        title = "API" if section == "api" else section.rpartition("/")[2].capitalize()
        entries.append({title: [{_title(pages / file): file.as_posix()} for file in files]})
    entries.append(
        {"Project": [{_title(pages / name): name} for name in _ROOT_PAGES.values() if name != "index.md"]}
    )
    return entries


def _title(page: Path) -> str:
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{page} has no heading: begin it with '# TITLE'.")
    title = found[1].replace("`", "").removeprefix("Measured: ")
    return title if title.startswith("pedbench") else title[0].upper() + title[1:]

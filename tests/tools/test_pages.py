"""The site builds without a warning, its links lead somewhere, and it loads nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.pages.__main__ import build
from tools.pages.checking import faults
from tools.pages.staging import ROOT, navigation, stage

HTML = """<html><head><link rel="stylesheet" href="{style}"><link rel="canonical" href="https://example.org/"></head>
<body><h1 id="top">Top</h1><a href="{link}">a</a><a href="https://example.org">b</a><img src="data:,x"></body></html>"""


def made_site(folder: Path, link: str = "inner/#there", style: str = "look.css") -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / "look.css").touch()
    (folder / "index.html").write_text(HTML.format(link=link, style=style))
    (folder / "inner" / "index.html").write_text(
        '<h2 id="there"></h2><a href="../#top"></a><a href="/look.css"></a>'
    )
    return folder


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"link": "#top"}, ""),
        ({"link": "outer/"}, "nothing is at outer/"),
        ({"link": "inner/#elsewhere"}, "inner/#elsewhere names no place"),
        ({"link": "#bottom"}, "#bottom names no place"),
        (
            {"style": "https://fonts.example.org/a.css"},
            "loads https://fonts.example.org/a.css from elsewhere",
        ),
        ({"style": "//cdn.example.org/a.css"}, "loads //cdn.example.org/a.css from elsewhere"),
        ({"style": "none.css"}, "lacks none.css"),
    ],
)
def test_what_is_wrong_with_a_site_is_named(tmp_path: Path, change: dict[str, str], fault: str) -> None:
    found = list(faults(made_site(tmp_path / "site", **change)))
    assert len(found) == bool(fault)
    assert all(fault in sentence for sentence in found)


def test_every_document_is_a_page_of_the_navigation(tmp_path: Path) -> None:
    stage(tmp_path / "pages")
    listed = re.findall(r"'([^']+\.md)'", str(navigation(tmp_path / "pages", [])))
    documents = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert set(documents) <= set(listed)
    assert len(listed) == len(set(listed))
    assert (tmp_path / "pages" / "pedbench" / "network" / "links.toml").is_file()
    notebook = (tmp_path / "pages" / "docs" / "notebooks" / "first_table.md").read_text()
    assert "[The notebook](first_table.ipynb)" in notebook
    assert "```python\n" in notebook


@pytest.mark.long
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="needs the extra docs")
    assert build(tmp_path, None) == []
    reference = (tmp_path / "site" / "api" / "base" / "index.html").read_text(encoding="utf-8")
    assert 'id="pedbench.base.Attack.reconstruct"' in reference
    assert list((tmp_path / "site").rglob("search*.json"))
    styles = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.css"))
    assert not re.search(r"(url\(|@import) *[\"\']?(https?:)?//", styles)

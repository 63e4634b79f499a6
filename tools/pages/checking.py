"""A check of a built site: every internal link leads to a page and a place on it, and no asset comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ASSETS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Elements that a browser loads, with the attribute that says from where."""

_HARMLESS = {"canonical", "next", "prev", "author", "license"}
"""Relations of `link` elements that load nothing."""


class _Page(HTMLParser):
    """Links, assets and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.assets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if _ASSETS.get(tag, "") in found and found.get("rel") not in _HARMLESS:
            self.assets.append(found[_ASSETS[tag]])


def faults(site: Path) -> Iterator[str]:
    """Yield a sentence for each broken internal link and each asset from elsewhere."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        for asset in page.assets:
            parts = urlsplit(asset)
            if parts.scheme != "data" and (parts.scheme or parts.netloc):
                yield f"{name}: loads {asset} from elsewhere"
            elif parts.scheme != "data" and not _target(site, path, parts.path).is_file():
                yield f"{name}: lacks {asset}"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = _target(site, path, parts.path)
            if not target.is_file():
                yield f"{name}: nothing is at {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: {link} names no place of that page"


def _target(site: Path, page: Path, link: str) -> Path:
    """Return the file that a server of the site sends for a link."""
    path = unquote(link)
    if not path:
        return page
    found = (site / path.lstrip("/") if path.startswith("/") else page.parent / path).resolve()
    return found / "index.html" if found.is_dir() else found

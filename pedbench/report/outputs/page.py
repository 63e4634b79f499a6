"""A report as one page that needs no network, and as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from pedbench.report.figures.drawing import run_looks
from pedbench.report.outputs.content import Content
from pedbench.report.outputs.gallery import PictureRow, gallery
from pedbench.report.tables.overview import controls_apart
from pedbench.report.words import legend
from pedbench.report.words.inline import Code, inline_html, inline_markdown
from pedbench.report.words.text import code, escape
from pedbench.results.stored_exhibits import encoded_again

MOST_BYTES = 5_000_000
"""Maximum size of the page; gallery pictures beyond it are left out, and the page says so."""

_BASE64 = 4 / 3
"""Letters for each byte."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def page(content: Content, folder: Path) -> str:
    """Return the text of `report.html`: everything foreign in it is escaped, and it asks for nothing from elsewhere.

    Args:
        folder: Folder that holds the figures.
    """
    pictures: dict[Path, bytes] = {}
    filters: dict[str, Callable[[Any], str]] = {
        "line": lambda text: Markup(_MARKDOWN.renderInline(text)),
        "webp": lambda path: _url("image/webp", pictures[path]),
        "inline": lambda text: Markup(inline_html(text)),
        "code": lambda name: Markup(inline_html(Code(name))),
        "table": lambda table: Markup(table.html()),
    }
    files = resources.files("pedbench.report.outputs")
    style, script = (Markup((files / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))
    figures = [
        (drawing, _url("image/svg+xml", (folder / f"{drawing.name}.svg").read_bytes()))
        for drawing in content.figures
    ]
    colours = {name: look.colour for name, look in run_looks(content.run).items()}
    exhibits = list(gallery(content.run, colours, controls_apart(content.controls)))

    shown: list[PictureRow] = []
    template = _template("report.html.jinja", content, filters, html=True)

    def rendered(shown: list[PictureRow]) -> str:
        return template.render(
            style=style,
            script=script,
            opening=[figure for figure in figures if figure[0].name == "frontier"] or figures[:1],
            figures=figures,
            gallery=shown,
            left_out=len(exhibits) - len(shown),
        )

    room = float(MOST_BYTES - len(rendered([]).encode()))
    for exhibit in exhibits:
        pictures |= {path: encoded_again(path) for path in exhibit.paths}
        # The words around a picture take about 600 bytes.
        room -= sum(_BASE64 * len(pictures[path]) + 600 for path in exhibit.paths)
        if room < 0:
            break
        shown.append(exhibit)
    return rendered(shown)


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def markdown(content: Content) -> str:
    """Return the text of `report.md`."""
    filters: dict[str, Callable[[Any], str]] = {"code": code, "text": escape, "inline": inline_markdown}
    return _template("report.md.jinja", content, filters, html=False).render()


def _template(
    name: str, content: Content, filters: Mapping[str, Callable[[Any], str]], *, html: bool
) -> jinja2.Template:
    """Return a template that knows what both forms of a report show."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pedbench.report.outputs", "."),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=not html,
    )
    environment.filters |= filters
    shown = {"content": content, "suite": content.run.suite, "terms": legend.TERMS}
    return environment.get_template(name, globals={**shown, "meanings": legend.flag_meanings(content.run)})

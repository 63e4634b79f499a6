"""A report as Markdown."""

from __future__ import annotations

import jinja2

from pedbench.report.outputs.content import Content
from pedbench.report.words import legend
from pedbench.report.words.inline import inline_markdown
from pedbench.report.words.text import code, escape


def markdown(content: Content) -> str:
    """Return the text of `report.md`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pedbench.report.outputs", "."),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code, "text": escape, "inline": inline_markdown}
    return environment.get_template("report.md.jinja").render(
        content=content,
        suite=content.run.suite,
        terms=legend.TERMS,
        meanings=legend.flag_meanings(content.run),
    )

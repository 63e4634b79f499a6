"""The files of a leaderboard: a page for each version of a suite, and each run's report and card."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import tomli_w
from markupsafe import Markup

from pedbench.host.files import write_atomically
from pedbench.registry import Registry
from pedbench.report.figures.drawing import save
from pedbench.report.leaderboard.standings import grouped
from pedbench.report.leaderboard.submission import CARD, Submission, read_submission
from pedbench.report.outputs.content import gather
from pedbench.report.outputs.page import page
from pedbench.report.words.inline import inline_html
from pedbench.report.words.text import one_line


def write_leaderboard(directories: Sequence[Path], out: Path, verifications: Path | None) -> list[Submission]:
    """Write a leaderboard of submitted runs into a folder, and return the submissions.

    Args:
        verifications: Folder with the outcomes of `pedbench verify --save FOLDER/NAME.json`.

    Raises:
        ValueError: A folder's name cannot be that of files, two have the same, or an outcome is none.
        OSError: The site cannot be written.
    """
    slugs = [directory.name for directory in directories]
    if twice := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise ValueError(f"several submissions are named {', '.join(twice)}: rename their folders.")
    found = [
        _with_report(read_submission(directory, verifications), out / "runs" / directory.name)
        for directory in directories
    ]
    boards: dict[tuple[str, int], list[Submission]] = {}
    for each in found:
        if each.run is not None:
            boards.setdefault((each.run.suite.name, each.run.suite.version), []).append(each)
    registry = Registry()
    out.mkdir(parents=True, exist_ok=True)
    refused = [each for each in found if each.run is None]
    names = {key: f"{key[0]}-v{key[1]}.html" for key in sorted(boards)}
    for key, members in boards.items():
        groups = list(grouped(members, registry))
        title = f"{key[0]}, version {key[1]}"
        write_atomically(out / names[key], _page(title=title, groups=groups, names=names, refused=[]))
    index = _page(title="Leaderboard", groups=[], names=names, refused=refused, boards=boards)
    write_atomically(out / "index.html", index)
    return found


def _with_report(submission: Submission, folder: Path) -> Submission:
    """Write a submission's report and card, made anew from its numbers; refuse it where they give none."""
    if submission.run is None or submission.card is None:
        return submission
    folder.mkdir(parents=True, exist_ok=True)
    try:
        next(iter(grouped([submission], Registry()))).tables  # noqa: B018
        content = gather(submission.run)
        with tempfile.TemporaryDirectory() as figures:
            for drawing in content.figures:
                save(drawing, Path(figures))
            text = page(content, Path(figures))
    # Whatever a foreign run brings about is its own failure: the others are still listed.
    except Exception as error:
        reason = one_line(f"it gives no report: {type(error).__name__}: {error}")
        return replace(submission, run=None, status="refused", reason=reason)
    write_atomically(folder / "report.html", text)
    write_atomically(folder / CARD, tomli_w.dumps(submission.card.model_dump(exclude_none=True)))
    return submission


def _page(**content: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pedbench.report.leaderboard", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "inline": lambda text: Markup(inline_html(text)),
        "table": lambda table: Markup(table.html()),
    }
    outputs = resources.files("pedbench.report.outputs")
    style, script = ((outputs / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template("leaderboard.html.jinja").render(
        style=Markup(style), script=Markup(script), **{"boards": {}, **content}
    )

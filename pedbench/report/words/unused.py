"""The pictures and annotations that gave no value to any defense, and why, as lines of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pedbench.report.words.text import code, escape
from pedbench.results.run import Run
from pedbench.results.selection import read_selection

_MOST = 20
"""Names in one line; all of them are in the selection's file."""


def unused(run: Run) -> Iterator[str]:
    """Yield pictures and annotations that no defense was measured on."""
    selection = read_selection(run.directory)
    if selection is None:
        return
    if selection.left_out:
        yield f"**left out**: pictures that cannot be read: {_listed(selection.left_out)}"
    if selection.defects:
        yield f"**left out**: annotations that cannot be used: {_listed(selection.defects)}"
    # Prompts depend on the annotations alone: one defense speaks for all.
    measured = {r.cell.get("protocol", ""): r for r in run.of_kind("utility") if r.status == "ok"}
    for protocol, record in measured.items():
        found = set(run.values(record.cell_id)["image"])
        empty = [image for image in selection.images if image not in found]
        if empty:
            names = ", ".join(code(image) for image in empty[:_MOST])
            more = f" and {len(empty) - _MOST} more" if len(empty) > _MOST else ""
            yield (
                f"**no object**: {len(empty)} of {len(selection.images)} pictures have none that protocol "
                f"{escape(protocol)} counts: {names}{more}"
            )


def _listed(reasons: Mapping[str, str]) -> str:
    shown = [f"{code(name)} ({escape(reason)})" for name, reason in list(reasons.items())[:_MOST]]
    more = f"; and {len(reasons) - _MOST} more" if len(reasons) > _MOST else ""
    return "; ".join(shown) + more

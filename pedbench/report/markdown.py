"""`report.md` and the tables beside it, from a run directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from pedbench.cell import canonical_json
from pedbench.controls import controls
from pedbench.report import legend
from pedbench.report.attackers import attackers, attackers_table
from pedbench.report.combined import combine
from pedbench.report.comparisons import comparison_tables, comparisons
from pedbench.report.curve_figures import coalition_figure, sweep_figures
from pedbench.report.curves import coalition_curve, coalition_table, sweeps
from pedbench.report.figures import SYNTHETIC, Drawing, privacy_utility, save
from pedbench.report.overview import combined_markdown
from pedbench.report.problems import problems
from pedbench.report.retrieval import retrieval, retrieval_tables
from pedbench.report.run import REFERENCE, Run, load
from pedbench.report.sections import claims_tables, latency_tables, privacy_tables, utility_tables
from pedbench.report.tables import claims, latency, privacy, utility
from pedbench.report.text import code, escape, table
from pedbench.report.unused import unused
from pedbench.report.worst_case import worst_cases

_MOMENT = "utc"
"""The entry of the provenance of which first and last are told."""

_NOTES = {
    "Utility": "Every prompt by size, each with its retention, is in `tables/utility.csv`.",
    "Privacy": "Every number with its interval and tail is in `tables/privacy.csv`, the worst case in every metric in "
    "`tables/worst_case.csv`.",
    "Claims": "What probes read of the words, faces and objects that pictures are known to hold: in what a coalition "
    "received (tiles), or in an attack's guess. Every number is in `tables/claims.csv`.",
    "Latency": "Times by phase and their tails are in `tables/latency.csv`. Wall and turn-taking are two "
    "ways of measuring; they are not to be compared with each other.",
    "Comparisons": "Differences picture by picture; every metric is in `tables/comparisons.csv`. p is of a sign-flip "
    "test over pictures, and corrected (Holm) for the number of defenses in the table.",
}


def write_report(run_dir: Path) -> Path:
    """Write `report.md`, `tables/*.csv` and `figures/*` into a run directory, in place of earlier ones.

    Returns:
        The path of `report.md`.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: A file of the run cannot be understood.
    """
    run = load(run_dir)
    frames = {"utility": utility(run), "privacy": privacy(run), "latency": latency(run)}
    frames["combined"] = combine(run, **frames)
    frames["worst_case"] = worst_cases(run)
    frames["attackers"] = attackers(run)
    frames["coalition_curve"] = coalition_curve(run, frames["privacy"])
    frames["comparisons"] = comparisons(run, frames["utility"], frames["privacy"])
    frames["retrieval"] = retrieval(frames["privacy"])
    frames["sweeps"] = sweeps(run, frames["combined"], frames["privacy"])
    frames["claims"] = claims(run)
    folder = run_dir / "tables"
    folder.mkdir(exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    for old in (run_dir / "figures").glob("*"):
        old.unlink()
    curves = [coalition_figure(run, frames["coalition_curve"]), *sweep_figures(run, frames["sweeps"])]
    drawings = [privacy_utility(run, frames["combined"]), *curves]
    shown = [drawing for drawing in drawings if drawing is not None]
    for drawing in shown:
        save(drawing, run_dir / "figures")
    path = run_dir / "report.md"
    partial = path.with_suffix(".partial")
    partial.write_text(_render(run, frames, shown), encoding="utf-8")
    partial.replace(path)
    return path


def _render(run: Run, frames: Mapping[str, pd.DataFrame], drawings: Sequence[Drawing]) -> str:
    names = (name for frame in frames.values() if "flags" in frame for name in frame["flags"])
    flags = legend.flag_letters(flag for joined in names for flag in joined.split("; ") if flag)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pedbench.report", "."),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code, "text": escape}
    cell = run.records[0].cell if run.records else {}
    combined = frames["combined"]
    references = [r for r in run.of_kind("utility") if REFERENCE in r.flags]
    return environment.get_template("report.md.jinja").render(
        suite=run.suite,
        controls=controls(run.directory),
        problems=[*problems(run), *unused(run)],
        pictures=run.pictures,
        dataset=run.suite.dataset.name,
        revision=cell.get("revision", "unknown"),
        synthetic=run.suite.dataset.name in SYNTHETIC,
        reference=run.defense(references[0]) if references else "",
        combined=combined_markdown(combined, flags) if len(combined) else "",
        figures=drawings,
        sections=[
            (name, _NOTES[name], list(tables))
            for name, tables in (
                ("Utility", utility_tables(frames["utility"], flags)),
                ("Privacy", _privacy_tables(run, frames, flags)),
                ("Claims", claims_tables(frames["claims"], flags)),
                ("Latency", latency_tables(frames["latency"], flags)),
                ("Comparisons", comparison_tables(frames["comparisons"])),
            )
            if name not in ("Claims", "Comparisons") or len(frames[name.lower()])
        ],
        terms=legend.TERMS,
        flags=flags,
        meanings=legend.FLAGS,
        attackers=attackers_table(frames["attackers"]) if len(frames["attackers"]) else "",
        configurations=_configurations(run),
        origin=dict(_origin(run)),
    )


def _privacy_tables(
    run: Run, frames: Mapping[str, pd.DataFrame], flags: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    yield from privacy_tables(run.headline(frames["privacy"]), run.headline(frames["worst_case"]), flags)
    if len(frames["coalition_curve"]):
        yield "Coalitions of growing size", coalition_table(frames["coalition_curve"])
    yield from retrieval_tables(run.headline(frames["retrieval"]))


def _configurations(run: Run) -> str:
    """All parameters of everything that took part."""
    rows = []
    for role, label in (("defense", run.defense), ("attack", run.attack), ("probe", run.probe)):
        plugins = {label(record): record.cell[role] for record in run.records if role in record.cell}
        rows += [
            [role, code(name), str(plugin["version"]), code(canonical_json(plugin["params"]))]
            for name, plugin in plugins.items()
        ]
    return table(["role", "name", "version", "parameters"], rows, left=4)


def _origin(run: Run) -> Iterator[tuple[str, list[str]]]:
    """What the records say about their origin; several values where not all of them agree."""
    found: dict[str, dict[str, None]] = {}
    for record in run.records:
        for name, value in record.provenance.items():
            parts = (
                [f"{key} {_short(part)}" for key, part in value.items()]
                if isinstance(value, dict)
                else [_short(value)]
            )
            found.setdefault(name, {}).update(dict.fromkeys(parts))
    for name, values in found.items():
        listed = sorted(values) if name == _MOMENT else list(values)
        yield escape(name), [listed[0], listed[-1]] if name == _MOMENT and len(listed) > 1 else listed


def _short(value: Any) -> str:
    """As text, a sha256 by its first digits."""
    text = value if isinstance(value, str) else canonical_json(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text

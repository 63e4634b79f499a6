"""Content of a report, whatever its form: tables, figures and sentences from a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pedbench.report.figures.curves import coalition_figure, sweep_figures
from pedbench.report.figures.drawing import Drawing, run_looks
from pedbench.report.figures.frontier import frontier_figure
from pedbench.report.figures.phases import phase_figures
from pedbench.report.figures.scatter import SYNTHETIC, privacy_latency, privacy_utility
from pedbench.report.figures.timeline import timeline_figure
from pedbench.report.numbers.attackers import attackers
from pedbench.report.numbers.combined import combined
from pedbench.report.numbers.comparisons import comparisons
from pedbench.report.numbers.curves import coalition_curve, sweeps
from pedbench.report.numbers.dishonest_servers import integrity
from pedbench.report.numbers.first_table import first_table as first_numbers
from pedbench.report.numbers.first_table import variants
from pedbench.report.numbers.frontier import equal_leakage, frontier
from pedbench.report.numbers.retrieval import retrieval
from pedbench.report.numbers.side_by_side import side_by_side
from pedbench.report.numbers.speaking import speaking
from pedbench.report.numbers.tidy import claims, latency, privacy, utility
from pedbench.report.numbers.timeline import timeline
from pedbench.report.numbers.times import times
from pedbench.report.numbers.worst_case import worst_cases
from pedbench.report.outputs.origin import configurations, origin, upload_sentence
from pedbench.report.tables.attacks import attackers_table, coalition_tables, retrieval_tables
from pedbench.report.tables.axes import claims_tables, privacy_tables, utility_tables
from pedbench.report.tables.comparisons import comparison_tables, integrity_tables
from pedbench.report.tables.first import NOTE, first_tables
from pedbench.report.tables.frontier import EQUAL_NOTE
from pedbench.report.tables.overview import combined_table, without_controls
from pedbench.report.tables.published import published_table
from pedbench.report.tables.side_by_side import NOTE as SIDES_NOTE
from pedbench.report.tables.side_by_side import side_table
from pedbench.report.tables.table import Table
from pedbench.report.tables.times import latency_note, time_tables
from pedbench.report.words import legend
from pedbench.report.words.headline import headline_sentence
from pedbench.report.words.problems import problems, unused
from pedbench.results.run import REFERENCE, Run
from pedbench.results.run_directory import PLUGINS, SUITE
from pedbench.validity.controls import Control, controls

_NOTES = {
    "Utility": "Every prompt by size, each with its retention, is in `tables/utility.csv`.",
    "Privacy": "Every number with its interval and tail is in `tables/privacy.csv`, the attack that speaks for each "
    "defense and metric in `tables/speaking.csv`, the worst case in `tables/worst_case.csv`.",
    "Claims": "What probes read of the words, faces and objects that pictures are known to hold: in what a coalition "
    "received (tiles), or in an attack's guess. Every number is in `tables/claims.csv`.",
    "Integrity": "mIoU while servers lie, each lie in passes of its own; none of it enters another table. The edge "
    "computes some windows of each pass, too, as many as checks says, and does the work of a server that it finds "
    "lying. Differences are to honest servers, object by object, with 95 % intervals; expected is how likely it is "
    "that a liar is found, averaged over passes. Every prompt is in `tables/integrity.csv`.",
    "Comparisons": "Differences picture by picture; every metric is in `tables/comparisons.csv`. p is of a sign-flip "
    "test over pictures, and corrected (Holm) for the number of defenses in the table.",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report.

    Attributes:
        note: Markdown below the heading.
    """

    heading: str
    note: str
    tables: Sequence[Table]


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that a report says. Whatever is not said to be plain is Markdown in which foreign text is escaped.

    Attributes:
        frames: Tidy tables by name, in full precision.
        headline: What the run comes to, in one sentence.
        problems: Cells without a result, one line each.
        reference: The undefended defense to which the retention of rows with original weights relates; plain.
        first: The first table, its variants, and controls that are no baselines; None where nothing has a result.
        combined: The overview; None where nothing has a result.
        published: What others report.
        flags: Letter of each flag that occurs; plain.
        uploads: Sentence about what was sent to other hosts; "" if nothing was.
        origin: Names and values of the provenance; plain.
    """

    run: Run
    frames: Mapping[str, pd.DataFrame]
    controls: Sequence[Control]
    headline: str
    problems: Sequence[str]
    reference: str
    first: Section | None
    combined: Table | None
    published: Table
    figures: Sequence[Drawing]
    sections: Sequence[Section]
    flags: Mapping[str, str]
    attackers: Table | None
    configurations: Table
    uploads: str
    origin: Mapping[str, Sequence[str]]

    @property
    def synthetic(self) -> bool:
        """State whether the pictures are rendered."""
        return self.run.suite.dataset.name in SYNTHETIC

    @property
    def command(self) -> str:
        """Command that runs the suite again in the run's directory; plain."""
        plugins = f" --plugin {PLUGINS}" if (self.run.directory / PLUGINS).is_dir() else ""
        return f"pedbench run {SUITE}{plugins}"

    @property
    def revision(self) -> str:
        """Revision of the dataset; plain."""
        return str(self.run.records[0].cell["revision"]) if self.run.records else "unknown"


def gather(run: Run, sides: Sequence[Run] = ()) -> Content:
    """Return everything that a report of the run says.

    Args:
        sides: Two runs of one suite that are shown side by side.

    Raises:
        ValueError: A file of the run cannot be understood.
    """
    frames = {"utility": utility(run), "privacy": privacy(run), "latency": latency(run)}
    frames["combined"] = overview = combined(run)
    frames["first"] = first_numbers(run)
    frames["speaking"] = speaking(run)
    frames["worst_case"] = worst_cases(run)
    frames["attackers"] = attackers(run)
    frames["coalition_curve"] = coalition_curve(run, frames["privacy"])
    frames["comparisons"] = comparisons(run, frames["utility"])
    frames["retrieval"] = retrieval(frames["privacy"])
    frames["sweeps"] = sweeps(run, frames["combined"], frames["privacy"])
    frames["frontier"] = frontier(run)
    frames["equal_leakage"] = equal_leakage(run)
    if sides:
        frames["side_by_side"] = side_by_side(*sides)
    frames["claims"] = claims(run)
    frames["integrity"] = integrity(run)
    frames["times"] = times(run)
    frames["timeline"] = timeline(run)
    names = (name for frame in frames.values() if "flags" in frame for name in frame["flags"])
    flags = legend.flag_letters(flag for joined in names for flag in joined.split("; ") if flag)
    references = [record for record in run.of_kind("utility") if REFERENCE in record.flags]
    compared, _ = without_controls(overview, controls(run))
    return Content(
        run=run,
        frames=frames,
        controls=controls(run),
        headline=headline_sentence(run, overview, controls(run)),
        problems=[*problems(run), *unused(run)],
        reference=run.defense(references[0]) if references else "",
        first=_first(run),
        combined=combined_table(compared, flags) if len(compared) else None,
        published=published_table(run, frames["utility"], frames["latency"]),
        figures=list(_figures(run, frames, compared)),
        sections=[*_two_runs(frames), *_sections(run, frames, flags)],
        flags=flags,
        attackers=attackers_table(frames["attackers"]) if len(frames["attackers"]) else None,
        configurations=configurations(run),
        uploads=upload_sentence(run),
        origin=dict(origin(run)),
    )


def _first(run: Run) -> Section | None:
    """Return the first table with what belongs to it, utility at equal leakage directly below."""
    tables = first_tables(run)
    if not tables:
        return None
    note = NOTE if equal_leakage(run).empty else f"{NOTE} {EQUAL_NOTE}"
    return Section(heading="Results", note=note, tables=tables)


def _figures(run: Run, frames: Mapping[str, pd.DataFrame], compared: pd.DataFrame) -> Iterator[Drawing]:
    looks = run_looks(run)
    shown = compared[~variants(run, compared)].copy() if len(compared) else compared
    drawings = [
        frontier_figure(run, frames["frontier"], frames["combined"], looks),
        privacy_utility(run, shown, frames["sweeps"], looks),
        privacy_latency(run, shown, frames["sweeps"], looks),
        coalition_figure(run, frames["coalition_curve"]),
        *sweep_figures(run, frames["sweeps"]),
        *phase_figures(frames["latency"]),
        timeline_figure(frames["timeline"]),
    ]
    yield from (drawing for drawing in drawings if drawing is not None)


def _two_runs(frames: Mapping[str, pd.DataFrame]) -> Iterator[Section]:
    if len(frames.get("side_by_side", ())):
        yield Section(heading="Runs", note=SIDES_NOTE, tables=[side_table(frames["side_by_side"])])


def _sections(run: Run, frames: Mapping[str, pd.DataFrame], flags: Mapping[str, str]) -> Iterator[Section]:
    tables = {
        "Utility": utility_tables(frames["utility"], flags),
        "Privacy": _privacy_tables(run, frames, flags),
        "Claims": claims_tables(frames["claims"], flags),
        "Latency": time_tables(frames["times"], flags),
        "Integrity": integrity_tables(frames["integrity"], flags),
        "Comparisons": comparison_tables(frames["comparisons"]),
    }
    for heading, found in tables.items():
        if len(frames[heading.lower()]):
            note = latency_note(run, frames["latency"]) if heading == "Latency" else _NOTES[heading]
            yield Section(heading=heading, note=note, tables=list(found))


def _privacy_tables(
    run: Run, frames: Mapping[str, pd.DataFrame], flags: Mapping[str, str]
) -> Iterator[Table]:
    numbers, spoken, worst = (run.headline(frames[name]) for name in ("privacy", "speaking", "worst_case"))
    yield from privacy_tables(numbers, spoken, worst, flags)
    yield from coalition_tables(frames["coalition_curve"])
    gallery = run.suite.gallery
    yield from retrieval_tables(run.headline(frames["retrieval"]), (gallery and gallery.model) or "")

"""Calibration of attacks: a weak result counts only if the attack reached its declared figure on a leaking defense.

Each attack declares the figure that it must reach on some defense; records carry the declaration, and a run that
holds that defense shows whether the figure was reached. A file in the package keeps what a run showed, for runs that
leave the defense out. Records and that file call the declaration `proof`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.results.records import Record
from pedbench.results.run import Run, load, once_per_run
from pedbench.results.statistics import mean
from pedbench.suites.cell import canonical_json

DECLARED = "proof"
"""The key of the declaration in records and in the kept file, whatever the code calls it."""

UNPROVEN = "unproven"
"""The flag of an attack whose figure was reached neither by its run nor by a kept one."""

KEPT = Path(__file__).parents[1] / "assets" / "calibrations.json"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether an attack is calibrated.

    Attributes:
        proven: The figure was reached.
        figure: What it must reach, in words; empty where it declares nothing.
        reached: The value found and where, in words; empty where the figure was not looked for.
    """

    proven: bool
    figure: str
    reached: str


@once_per_run
def verdicts(run: Run) -> dict[str, Verdict]:
    """Judge each attack of a run by the run and by what comes with the package, see `judge`."""
    return judge(run, KEPT)


def judge(run: Run, kept: Path) -> dict[str, Verdict]:
    """Return a verdict for each attack of a run that is no floor, by canonical JSON of its identity.

    The run's own records count first. A kept calibration counts if it is about the same attack (version and
    parameters), the same model and the same figure.
    """
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else []
    found = {}
    for key, attacks in _attacks(run).items():
        declared = attacks[0].attacker.get(DECLARED)
        if not declared:
            found[key] = Verdict(proven=False, figure="", reached="")
            continue
        value, pictures = _best(run, attacks, declared)
        if value is not None:
            reached = f"{value:.3g} on {pictures} pictures of this run"
            found[key] = Verdict(
                proven=value >= declared["least"], figure=_in_words(declared), reached=reached
            )
            continue
        same = [entry for entry in known if _same(entry, attacks[0], declared)]
        best = max(same, key=lambda entry: entry["value"], default=None)
        reached = "" if best is None else f"{best['value']:.3g} on {best['n']} pictures of run {best['run']}"
        found[key] = Verdict(
            proven=best is not None and best["value"] >= declared["least"],
            figure=_in_words(declared),
            reached=reached,
        )
    return found


def keep(run_dir: Path, kept: Path = KEPT) -> list[dict[str, Any]]:
    """Keep what a run shows of its attacks, in place of what was kept of the same ones.

    Returns:
        The new entries, those whose figure was not reached among them.

    Raises:
        FileNotFoundError: The directory holds no run.
    """
    run = load(run_dir)
    new = []
    for attacks in _attacks(run).values():
        declared = attacks[0].attacker.get(DECLARED)
        value, pictures = _best(run, attacks, declared) if declared else (None, 0)
        if value is not None:
            entry = {
                "attack": attacks[0].cell["attack"],
                "model": attacks[0].cell["model"],
                DECLARED: declared,
                "value": value,
                "n": pictures,
                "run": run_dir.resolve().name,
                "source": attacks[0].provenance.get("sources", {}).get(attacks[0].cell["attack"]["name"], ""),
            }
            new.append(entry)
    old = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else []
    replaced = {(canonical_json(entry["attack"]), entry["model"]) for entry in new}
    left = [entry for entry in old if (canonical_json(entry["attack"]), entry["model"]) not in replaced]
    entries = sorted([*left, *new], key=lambda entry: canonical_json([entry["attack"], entry["model"]]))
    kept.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    return new


def _attacks(run: Run) -> dict[str, list[Record]]:
    """Return the records of each attack that is no floor; records that do not say what their attack is are left out."""
    found: dict[str, list[Record]] = {}
    for record in run.of_kind("privacy"):
        if "attack" in record.cell and record.attacker and not record.attacker["floor"]:
            found.setdefault(canonical_json(record.cell["attack"]), []).append(record)
    return found


def _best(run: Run, attacks: Sequence[Record], declared: Mapping[str, Any]) -> tuple[float | None, int]:
    """Return the largest mean over the coalition rules and its number of pictures; None where nothing was measured."""
    means = [mean(rows) for rows in _values(run, attacks, declared) if not rows.empty]
    best = max(means, key=lambda found: found.value, default=None)
    return (None, 0) if best is None else (best.value, best.n)


def _values(run: Run, attacks: Sequence[Record], declared: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Yield for each coalition rule the values that the figure is the mean of."""
    for record in attacks:
        defense = record.cell["defense"]
        fits = (
            defense["name"] == declared["defense"] and declared["params"].items() <= defense["params"].items()
        )
        if not fits or record.status != "ok":
            continue
        rows = _figure_values(run, record, declared)
        if not declared["over"]:
            yield rows
            continue
        for other in run.of_kind("privacy"):
            same = other.cell["defense"] == defense and other.cell["coalition"] == record.cell["coalition"]
            name = other.cell.get("attack", {}).get("name", "")
            if same and other.status == "ok" and name == declared["over"]:
                both = rows.merge(_figure_values(run, other, declared), on="image", suffixes=("", "_other"))
                yield both.assign(value=both["value"] - both["value_other"])


def _figure_values(run: Run, record: Record, declared: Mapping[str, Any]) -> pd.DataFrame:
    values = run.values(record.cell_id)
    chosen = values[(values["metric"] == declared["metric"]) & (values["region"] == declared["region"])]
    # By picture, as attacks that hear a different number of requests may be about different coalitions.
    means: pd.DataFrame = chosen.groupby("image")["value"].mean().reset_index()
    return means


def _same(entry: Mapping[str, Any], attack: Record, declared: Mapping[str, Any]) -> bool:
    identity = [attack.cell["attack"], attack.cell["model"], declared]
    return canonical_json([entry["attack"], entry["model"], entry[DECLARED]]) == canonical_json(identity)


def _in_words(declared: Mapping[str, Any]) -> str:
    params = ", ".join(f"{name}={value}" for name, value in declared["params"].items())
    defense = f"{declared['defense']}({params})" if params else declared["defense"]
    over = f" above {declared['over']}" if declared["over"] else ""
    return f"{declared['metric']} ({declared['region']}){over} on {defense} of at least {declared['least']:g}"

"""The record of a cell that was measured, or could not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pedbench.adversary.isolation.facts import AttackFacts
from pedbench.adversary.prior import describe_prior
from pedbench.base import Defense, Disclosure, Metric
from pedbench.data.readable import FileDataset
from pedbench.host.provenance import provenance
from pedbench.measure.code_identity import readers, sources
from pedbench.measure.outcome import Outcome
from pedbench.models.hub.folders import weight_digests
from pedbench.results.claim_summary import claim_metrics, mistrusted
from pedbench.results.records import MetricValue, Record
from pedbench.results.summary import (
    geometry_metrics,
    integrity_metrics,
    latency_metrics,
    privacy_metrics,
    utility_metrics,
)
from pedbench.results.values import read_columns, read_values
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan, Plan, Planned
from pedbench.types import Status
from pedbench.validity.controls import CONTROL, FEW_PICTURES
from pedbench.validity.flags import ANNOTATIONS_LOST, UNVERIFIED, of_attack

if TYPE_CHECKING:
    import pandas as pd

FEW_SAMPLES = 20
"""Timed pictures below which a latency record is flagged."""

MOST_LOST = 0.01
"""Share of the annotations, above which records that depend on them are flagged if they were left out."""

CONTROLS: dict[Disclosure, str] = {"nothing": "nothing sent", "decoy": "decoy"}
"""Control that a defense is by what it says of itself."""

NO_VALUE = "the selected pictures give this cell no value"

NO_SECRET = "the selected pictures hold nothing, of which the dataset knows, that the probe looks for"


def make_record(
    plan: Plan,
    of: DefensePlan,
    cell: Cell,
    total: Outcome,
    run_dir: Path,
    *,
    device: str,
    engine: str,
    machines: Sequence[str],
    servers: Sequence[Mapping[str, Any]] = (),
) -> Record:
    """Sum up a cell from the values in the run directory.

    Args:
        total: What became of the defense on all pictures.
        device: Where the models computed.
        engine: Which one did the work.
        machines: Ids of those that measured.
        servers: Facts of servers on other machines.
    """
    # Edges and servers have no pandas, and times alone to record.
    read = read_columns if cell.kind == "latency" else read_values
    values: Any = read(run_dir, cell.cell_id)
    status, reason = status_of(cell, total, measured=len(values["value"]) > 0)
    metrics: tuple[MetricValue, ...] = ()
    if status == "ok" and cell.probe is not None and (doubt := mistrusted(values)):
        status, reason = "invalid", f"probe {cell.probe.name} {doubt}"
    if status == "ok":
        metrics = summed_up(cell.as_dict(), values, plan.metrics)
    flags = total.flags[cell.cell_id] | lasting_flags(plan, of, cell, values if status == "ok" else None)
    attacks = [planned for planned in readers(of, cell) if isinstance(planned.plugin, AttackFacts)]
    return Record(
        cell_id=cell.cell_id,
        cell=cell.as_dict(),
        status=status,
        reason=reason,
        metrics=metrics,
        flags=tuple(sorted(flags)),
        timing=_timing(total, attacks),
        provenance=provenance(
            run_id=run_dir.name,
            device=device,
            sources=sources(plan, of, cell),
            weights=weights_of(of, cell),
        )
        | {"engine": engine, "machines": list(machines)}
        | ({"servers": list(servers)} if servers else {})
        | ({"confinement": confinement} if (confinement := total.confinement.get(cell.cell_id)) else {})
        | ({"uploads": uploads} if (uploads := total.uploads.get(cell.cell_id)) else {})
        | ({"distrust": distrust} if (distrust := total.distrust.get(cell.cell_id)) else {}),
        attacker=_attacker(attacks[0].plugin) if attacks else {},
        defaults=_defaults(of.defense, readers(of, cell)),
    )


def status_of(cell: Cell, total: Outcome, *, measured: bool) -> tuple[Status, str]:
    """Return status and reason of a cell by what became of it.

    Args:
        measured: Whether it has values.
    """
    if cell.cell_id in total.problems or measured:
        return total.problems.get(cell.cell_id, ("ok", ""))
    return "skipped", total.unfit.get(cell.cell_id, NO_VALUE if cell.probe is None else NO_SECRET)


def weights_of(part: DefensePlan, cell: Cell) -> dict[str, str]:
    """Return the sha256 of all weights files that have a part in a cell, by name."""
    files = [plugin.files for planned in readers(part, cell) for plugin in planned.plugins]
    return part.weights | {name: digest for each in files for name, digest in weight_digests(each).items()}


def _attacker(attack: AttackFacts) -> dict[str, Any]:
    return {
        "floor": attack.floor,
        "family": attack.family,
        "needs": sorted(attack.needs),
        "knowledge": "; ".join(filter(None, (describe_prior(), attack.knowledge))),
        "proof": asdict(attack.calibration) if attack.calibration else None,
    }


def _defaults(defense: Defense, read_by: Sequence[Planned]) -> dict[str, dict[str, Any]]:
    """Return the defaults of a cell's plugins, by their field in the cell."""
    found = {"defense": defense.defaults}
    for planned in read_by:
        found["attack" if isinstance(planned.plugin, AttackFacts) else "probe"] = planned.plugin.defaults
        if planned.read_out is not None:
            found["read_out"] = planned.read_out.plugin.defaults
    return found


def _timing(total: Outcome, attacks: Sequence[Planned]) -> dict[str, float]:
    timing = {}
    for planned in attacks:
        guesses = total.guesses[planned.label]
        if guesses:
            timing["one guess"] = round(sum(guesses) / len(guesses), 6)
    return timing


def summed_up(
    cell: Mapping[str, Any], values: pd.DataFrame, metrics: Sequence[Metric]
) -> tuple[MetricValue, ...]:
    """The numbers of a record, which follow from its cell's values alone.

    Args:
        cell: As `Cell.as_dict` gives it.
        metrics: The suite's.
    """
    if cell["kind"] == "utility":
        return utility_metrics(values)
    if cell["kind"] == "integrity":
        return integrity_metrics(values)
    if cell["kind"] == "latency":
        return latency_metrics(values)
    if "probe" in cell:
        return claim_metrics(values)
    if "attack" not in cell:
        return geometry_metrics(values)
    return privacy_metrics(values, {metric.column: metric for metric in metrics})


def lasting_flags(plan: Plan, of: DefensePlan, cell: Cell, values: pd.DataFrame | None) -> set[str]:
    """Return the flags that follow from the plan and from a cell's values.

    Args:
        values: The cell's; None where it is not ok.
    """
    control = of.defense.control or CONTROLS.get(of.defense.disclosure)
    flags = {f"{CONTROL}{control}"} if cell.kind == "privacy" and cell.probe is None and control else set()
    if values is None:
        return flags
    flags |= {UNVERIFIED} if plan.family.unverified() else set()
    if cell.kind == "latency":
        timed: dict[str, set[str]] = {}
        for metric, image in zip(values["metric"], values["image"], strict=True):
            if metric in ("wall", "turn-taking"):
                timed.setdefault(metric, set()).add(image)
        if any(len(images) < FEW_SAMPLES for images in timed.values()):
            flags.add("few samples")
    elif values["image"].nunique() < FEW_PICTURES:
        flags.add("few pictures")
    if cell.kind in ("utility", "integrity") and isinstance(plan.dataset, FileDataset):
        counts = plan.dataset.counts
        if counts.total - counts.used > MOST_LOST * counts.total:
            flags.add(ANNOTATIONS_LOST)
    if cell.kind == "utility" and of.defense.undefended:
        flags.add("reference")
    if (cell.attack or cell.probe) and of.defense.randomised and cell.requests == 1:
        flags.add("randomised defense attacked once")
    if cell.attack is not None and cell.probe is None:
        floor = any(planned.plugin.floor for planned, each in of.privacy if each == cell)
        flags |= of_attack(values, floor=floor)
    return flags

"""Main numbers of one defense, from its records alone: for progress, before a report has intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pedbench.results.records import Record

_LEAKAGE = re.compile(r"leakage\[(\w+)[^\]]*\]")


def glance(records: Iterable[Record]) -> dict[str, str]:
    """Return mIoU, the largest leakages to the first coalition rule by distance, and the wall time of a defense.

    The strongest attack is chosen on the pictures that it is judged by: leakages are mostly higher than the report's.

    Args:
        records: Of one defense, in the order of the plan.
    """
    sound = [record for record in records if record.status == "ok" and not record.cell.get("probe")]
    found: dict[str, str] = {}
    for record in [record for record in sound if record.cell["kind"] == "utility"][:1]:
        first = record.metrics[0].name
        regions = {metric.region: metric.value for metric in record.metrics if metric.name == first}
        found[first.partition("[")[0]] = f"{regions.get('ML', record.metrics[0].value):.3f}"
    attacked = [record for record in sound if record.cell["kind"] == "privacy"]
    leakages: dict[str, float] = {}
    for record in attacked:
        if record.cell["coalition"] == attacked[0].cell["coalition"]:
            for metric in record.metrics:
                if named := _LEAKAGE.fullmatch(metric.name):
                    name = f"max. leakage {named[1]}"
                    leakages[name] = max(metric.value, leakages.get(name, metric.value))
    found |= {name: f"{value:.3f}" for name, value in leakages.items()}
    for record in sound:
        for metric in record.metrics:
            if (metric.name, metric.region) == ("wall p50", "end to end"):
                found.setdefault("wall", f"{metric.value * 1e3:.0f} ms")
    return found

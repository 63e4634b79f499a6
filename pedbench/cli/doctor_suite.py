"""`pedbench doctor --suite`: the files that a suite needs, and its time and memory on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pedbench.base import Dataset
from pedbench.cli.finding import Finding, memory_gb
from pedbench.errors import DatasetError
from pedbench.fetching.fetch import missing
from pedbench.host.board import duration
from pedbench.host.provenance import cores
from pedbench.models.sam.family import family
from pedbench.registry import Registry
from pedbench.suites.cost import Forecast, forecast
from pedbench.suites.files import load_suite
from pedbench.suites.requirements import Need, needs
from pedbench.suites.resolve import Overrides, resolve


def examine_suite(name: str, overrides: Overrides, plugins: Sequence[Path]) -> Iterator[Finding]:
    """Yield findings about files and dataset, then about time and memory, predicted from one measured picture.

    Raises:
        ValueError: The suite, a plugin or a parameter is wrong.
    """
    registry = Registry(plugins)
    suite = resolve(load_suite(name), overrides, registry)
    models = family(suite.model, suite.weights or {})
    for need in needs(suite, models, registry):
        yield _file(need)
    dataset: Dataset = registry.create("datasets", suite.dataset.name, suite.dataset.params)
    try:
        count = len(dataset.ids()[: suite.dataset.limit])
    except DatasetError as error:
        size = missing("coco") if suite.dataset.name == "coco" else 0
        yield Finding(f"dataset {dataset.name}", f"not here{_megabytes(size)}", str(error))
    else:
        cure = f"give --limit {count}" if suite.dataset.limit and count < suite.dataset.limit else ""
        yield Finding(f"dataset {dataset.name}", f"{count} pictures", cure)
        if count:
            yield from cost(forecast(suite, models, registry, dataset))


def _file(need: Need) -> Finding:
    if need.here:
        return Finding(need.what, f"found: {need.path}")
    if not need.required:
        state = "not published" if need.path is None else f"not trained here, looked for {need.path}"
        return Finding(need.what, f"{state}, so its rows are skipped", need.advice, needed=False)
    return Finding(need.what, f"not here{_megabytes(need.size)}: looked for {need.path}", need.advice)


def _megabytes(size: int) -> str:
    return f", {size / 1e6:,.0f} MB to fetch" if size else ""


def cost(predicted: Forecast, workers: int = 1) -> Iterator[Finding]:
    """Yield time and memory; the time is divided by `workers` like this machine."""
    yield Finding(
        "time",
        f"{duration(predicted.seconds / workers)} for passes and masks: {predicted.passes:,} passes of "
        f"{predicted.encode:.1f} s, {predicted.objects:,.0f} objects of {predicted.segment:.2f} s, measured here with "
        f"{cores()} cores{f' and divided by {workers} workers' if workers > 1 else ''}. Attacks, metrics "
        "and probes take additional time: run with --limit 1 to measure it",
    )
    yield _memory(predicted)


def most_bytes(predicted: Forecast) -> int:
    """Return the memory that all processes of a run take if each encodes whole pictures."""
    return (1 + cores() + predicted.servers) * predicted.peak


def _memory(predicted: Forecast) -> Finding:
    required_gb = most_bytes(predicted) / 1e9
    cure = "run fewer servers: --set ped_sam.servers=3" if required_gb > memory_gb() else ""
    return Finding(
        "memory of the suite",
        f"at most {required_gb:.0f} GB: {predicted.peak / 1e9:.1f} GB for each of the edge, {predicted.servers} "
        f"servers and {cores()} attack processes, if all of them encoded whole pictures; weights are shared",
        cure,
        needed=False,
    )

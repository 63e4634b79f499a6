"""`pedbench doctor --suite`: what a suite needs, how long it takes here, and how much memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pedbench.base import Dataset
from pedbench.cli.finding import Finding
from pedbench.errors import DatasetError
from pedbench.fetching.fetch import missing
from pedbench.host.provenance import cores
from pedbench.models.sam.family import Family, family
from pedbench.registry import Registry
from pedbench.suites.cost import Forecast, forecast
from pedbench.suites.files import load_suite
from pedbench.suites.requirements import Need, needs
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import ResolvedSuite

HOUR = 3600
DAY = 24 * HOUR


def examine_suite(name: str, overrides: Overrides) -> Iterator[Finding]:
    """Files and dataset, then time and memory from a picture that is tried.

    Raises:
        ValueError: The suite, a plugin or a parameter is wrong.
    """
    registry = Registry()
    suite = resolve(load_suite(name), overrides, registry)
    of = family(suite.model, suite.weights or {})
    for need in needs(suite, of, registry):
        yield _file(need)
    dataset: Dataset = registry.create("datasets", suite.dataset.name, suite.dataset.params)
    try:
        count = len(dataset.ids()[: suite.dataset.limit])
    except DatasetError as error:
        size = missing("coco") if suite.dataset.name == "coco" else 0
        yield Finding(f"dataset {dataset.name}", f"not here{_megabytes(size)}", str(error))
    else:
        few = f"give --limit {count}" if suite.dataset.limit and count < suite.dataset.limit else ""
        yield Finding(f"dataset {dataset.name}", f"{count} pictures", few)
        if count:
            yield from cost(suite, of, registry, dataset)


def _file(need: Need) -> Finding:
    if need.here:
        return Finding(need.what, f"here: {need.path}")
    if need.path is None:
        return Finding(need.what, "its rows are skipped: nobody publishes it", need.advice, needed=False)
    return Finding(need.what, f"not here{_megabytes(need.size)}: looked for {need.path}", need.advice)


def _megabytes(size: int) -> str:
    return f", {size / 1e6:,.0f} MB to fetch" if size else ""


def cost(
    suite: ResolvedSuite, of: Family, registry: Registry, dataset: Dataset, workers: int = 1
) -> Iterator[Finding]:
    """Time and memory, from a picture that is tried; `workers` like this machine share the time.

    Raises:
        PluginError: A plugin is broken.
    """
    found = forecast(suite, of, registry, dataset)
    yield Finding(
        "time",
        f"{_long(found.seconds / workers)} for passes and masks: {found.passes:,} passes of {found.encode:.1f} s, "
        f"{found.objects:,.0f} objects of {found.segment:.2f} s, tried here with {cores()} cores"
        f"{f' and divided by {workers} workers' if workers > 1 else ''}. Attacks, metrics "
        "and probes come on top: a run with --limit 1 tells how much",
    )
    yield _memory(found)


def _memory(found: Forecast) -> Finding:
    processes = 1 + cores() + found.servers
    wanted = processes * found.peak / 1e9
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cure = "run fewer servers: --set ped_sam.servers=3" if wanted > here else ""
    return Finding(
        "memory of the suite",
        f"at most {wanted:.0f} GB: {found.peak / 1e9:.1f} GB for each of the edge, {found.servers} servers and "
        f"{cores()} attack processes, if all of them encoded whole pictures; weights are shared",
        cure,
        needed=False,
    )


def _long(seconds: float) -> str:
    if seconds < HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR:.1f} h" if seconds < DAY else f"{seconds / DAY:.1f} days"

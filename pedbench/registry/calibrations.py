"""Calibrations of attacks, checked against the plugins that they name."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Protocol

from pedbench.errors import PluginError, suggestion
from pedbench.registry import Registry

if TYPE_CHECKING:
    from pedbench.base import Calibration, Metric


class Calibrated(Protocol):
    """An attack, or the facts of one."""

    @property
    def name(self) -> str: ...
    @property
    def calibration(self) -> Calibration | None: ...


_RELATIVE = re.compile(r"(leakage|advantage)\[(.+)\]")
"""Names of the figures that relate a metric to the floors; larger ones are better for the attacker."""


def check_calibration(attack: Calibrated, registry: Registry) -> None:
    """Check that a calibration names a defense, an attack and a metric whose larger values mean a better attack.

    Raises:
        PluginError: It does not.
    """
    declared = attack.calibration
    if declared is None:
        return
    try:
        defense = registry.plugin_class("defenses", declared.defense)
        if declared.over:
            registry.origin("attacks", declared.over)
        known = [field.name for field in dataclasses.fields(defense)]
        for name in declared.params:
            if name not in known:
                raise PluginError(f"{defense.name} has no parameter {name!r}{suggestion(name, known)}.")
        _check_metric(declared.metric, registry)
    except PluginError as error:
        raise PluginError(f"{attack.name}: `calibration`: {error}") from None


def _check_metric(name: str, registry: Registry) -> None:
    relative = _RELATIVE.fullmatch(name)
    column = relative[2] if relative else name
    metrics = {metric.column: metric for metric in _metrics(registry)}
    # A parameter may follow the dash, as in LPIPS-alex.
    families = {known.partition("-")[0]: metric for known, metric in metrics.items()}
    metric = metrics.get(column) or families.get(column.partition("-")[0])
    if metric is None:
        raise PluginError(
            f"no metric gives values named {name!r}{suggestion(column, metrics)}. Known: {', '.join(metrics)}; and "
            "leakage[...] or advantage[...] of those that are distances."
        )
    if relative and metric.exact is None:
        raise PluginError(f"{name} does not exist, as {column} has no value `exact`: name {column} itself.")
    if not relative and metric.better == "higher":
        raise PluginError(
            f"larger values must mean a better attack, and those of {name} mean a worse one: name leakage[{name}] or "
            f"advantage[{name}]."
        )


def _metrics(registry: Registry) -> list[Metric]:
    """Build all metrics with default parameters, but for broken ones, which are refused where they are used."""
    found = []
    for name in registry.origins("metrics"):
        try:
            found.append(registry.create("metrics", name, {}))
        except PluginError:
            continue
    return found

"""Run directories of two defenses under two attacks that keep all laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pedbench.regression.laws import check_laws
from pedbench.results.run import Run, load
from pedbench.suites.cell import CoalitionRule, PluginIdentity
from tests.regression.runs import GEOMETRY, IMAGES, LATENCY, UTILITY, Made, timed, utility, write_run

RULES = (CoalitionRule(c=1, m=3), CoalitionRule(c=2, m=3), CoalitionRule(c="N", m=1))
COALITIONS = {1: ("0", "1", "2"), 2: ("0+1", "0+2", "1+2"), "N": ("0+1+2",)}
PLAIN, SPLIT, VEIL = (PluginIdentity(name=name, version=1) for name in ("plain", "split", "veil"))
FLOOR, READER, INVERSION = (PluginIdentity(name=name, version=1) for name in ("floor", "reader", "inversion"))

HONEST: Mapping[tuple[str, str], tuple[float, float]] = {
    ("split", "floor"): (0.1, 0.05),
    ("split", "reader"): (0.2, 0.1),
    ("veil", "floor"): (0.3, 0.2),
    ("veil", "reader"): (0.4, 0.3),
}
"""Leakage by RMSE and by SSIM of a defense to an attack."""


def guesses(leakages: tuple[float, float], rule: CoalitionRule, images: list[str]) -> pd.DataFrame:
    """A coalition of two or three misleads its attack: it leaks less than its members alone."""
    rows = []
    for number, image in enumerate(images):
        for servers in COALITIONS[rule.c]:
            less = 0.05 * servers.count("+") + 0.01 * int(servers[0]) + 0.001 * (number % 3)
            for name, leakage in zip(("RMSE", "SSIM"), leakages, strict=True):
                rows.append((image, servers, "whole", f"leakage[{name}]", leakage - less))
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])


def shares(rule: CoalitionRule) -> pd.DataFrame:
    rows = [
        (image, -1, servers, "visible share", 0.2 * len(servers.split("+")), "")
        for image in IMAGES
        for servers in COALITIONS[rule.c]
    ]
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value", "tag"])


def run_of(
    directory: Path,
    leakages: Mapping[tuple[str, str], tuple[float, float]] = HONEST,
    *,
    limited: tuple[float, float] | None = None,
    failed: bool = False,
    received: tuple[str, ...] = (),
) -> Run:
    """Two defenses under two attacks, and `split` under a third one.

    Args:
        limited: Leakage to an inversion of `split` that guesses two pictures.
        failed: Whether the reader failed on `split`.
        received: Kinds of payload of both.
    """
    cells = [Made(cell=replace(UTILITY, defense=PLAIN), values=utility([[0.8]] * 8), flags=("reference",))]
    for defense in (SPLIT, VEIL):
        cells.append(Made(cell=replace(UTILITY, defense=defense), values=utility([[0.8]] * 8)))
        cells.append(Made(cell=replace(LATENCY, defense=defense), values=timed(0.1)))
        for rule in RULES:
            geometry = replace(GEOMETRY, defense=defense, coalition=rule)
            flags = tuple(f"received: {kind}" for kind in received)
            cells.append(Made(cell=geometry, values=shares(rule), flags=flags))
            for attack, family in ((FLOOR, "floor"), (READER, "completion")):
                cell = replace(geometry, attack=attack, requests=1, floors="0" * 12)
                about = {"family": family, "needs": ["nothing", "pixels"]}
                if failed and defense is SPLIT and attack is READER:
                    cells.append(Made(cell=cell, status="failed", reason="out of memory", attacker=about))
                else:
                    values = guesses(leakages[defense.name, attack.name], rule, IMAGES)
                    cells.append(Made(cell=cell, values=values, attacker=about))
            if limited and defense is SPLIT:
                cell = replace(geometry, attack=INVERSION, requests=1, floors="0" * 12)
                about = {"family": "inversion", "needs": ["tokens"]}
                values = guesses(limited, rule, IMAGES[:2])
                cells.append(Made(cell=cell, values=values, attacker=about))
    rules = "[{ c = 1, m = 3 }, { c = 2, m = 3 }, { c = 'N', m = 1 }]"
    return load(write_run(directory, cells, coalitions=rules))


def violations(run: Run) -> list[str]:
    return [f"{found.subject}: {found.problem}" for found in check_laws(run) if found.problem]

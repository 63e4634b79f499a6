"""A run directory whose values, metrics and records belong together, with everything that can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.metrics.structural_similarity import StructuralSimilarity
from pedbench.results.records import Record, append_record, write_plan
from pedbench.results.summary import geometry_metrics, latency_metrics, privacy_metrics, utility_metrics
from pedbench.results.values import write_values
from pedbench.suites.cell import Cell, CoalitionRule, PluginIdentity

NASTY = "a|b`c``d\n<script>alert(1)</script> _x_ *y* [z](http://w) $q$ \\ &amp; é漢"
"""A parameter's value that would break a table, a page and a figure."""

IMAGES = [f"scene-{index:03d}" for index in range(24)]

UNDEFENDED = PluginIdentity(name="undefended", version=1)
BLUR = PluginIdentity(name="blur", version=1, params={"sigma": 0.02})
SPLIT_3 = PluginIdentity(name="split", version=2, params={"servers": 3, "note": "plain", "depth": 1})
SPLIT_25 = PluginIdentity(name="split", version=2, params={"servers": 25, "note": NASTY, "depth": 1})
BROKEN = PluginIdentity(name="broken", version=1)

QUALITY = {"undefended": 0.8, "blur": 0.4, "split": 0.7, "broken": 0.5}
SEEN = {"undefended": 0.7, "blur": 0.0, "split": 0.3, "broken": 0.1}

FLOOR = PluginIdentity(name="floor", version=1)
READER = PluginIdentity(name="reader", version=1)
RULES = (CoalitionRule(c=1, m=3), CoalitionRule(c="N", m=1))

SUITE = """
name = "made"
version = 1
seed = 7
model = "mini"
attacks = ["floor", "reader"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 3 }, { c = "N", m = 1 }]
[dataset]
name = "scenes"
limit = 24
[[utility]]
protocol = "clicks"
prompts = ["1 click", "box"]
[[defenses]]
name = "undefended"
[latency]
samples = 20
warmup = 2
"""

PROVENANCE = {
    "run_id": "made-00000000",
    "utc": "2030-01-01T00:00:00+00:00",
    "commit": "0" * 40,
    "versions": {"python": "3.11.0", "torch": "2.6.0"},
    "weights": {"model": "ab" * 32},
}

BASE = Cell(
    kind="utility",
    dataset="scenes",
    revision="r|1",
    selection="0" * 12,
    model="mini",
    weights="0" * 64,
    defense=UNDEFENDED,
    seed=7,
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A run directory, and what was put into it.

    Attributes:
        values: By cell id, of the cells that are ok.
        cells: Cell ids by (defense, "utility" or "latency") and (defense, c, "geometry" or attack).
        nasty: The label of the defense whose parameter is hard to write down.
    """

    directory: Path
    values: dict[str, pd.DataFrame]
    cells: dict[tuple[Any, ...], str]
    nasty: str = f"split(servers=25, note={NASTY})"


def utility_values(defense: PluginIdentity, rng: np.random.Generator) -> pd.DataFrame:
    """Several annotations a picture, as many as its number says, so that the two kinds of mean differ."""
    rows = []
    for index, image in enumerate(IMAGES):
        for annotation in range(1 + index % 4):
            size = "SML"[(index + annotation) % 3]
            for metric, bonus in (("IoU[1 click]", 0.0), ("IoU[box]", 0.05)):
                value = np.clip(QUALITY[defense.name] + bonus + rng.normal(0, 0.08), 0, 1)
                tag = f"{size} cut" if annotation % 2 else size
                rows.append((image, 100 * index + annotation, metric, value, tag))
    return pd.DataFrame(rows, columns=["image", "annotation", "metric", "value", "tag"])


def geometry_values(defense: PluginIdentity, rule: CoalitionRule, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for index, image in enumerate(IMAGES):
        for servers in ("0", "1", "2")[: rule.m]:
            share = 1.0 if rule.c == "N" and SEEN[defense.name] else SEEN[defense.name] * rng.uniform(0.8, 1)
            rows.append((image, -1, servers, "visible share", share, ""))
            rows.append((image, -1, servers, "content share", share, ""))
        rows.append((image, 100 * index, "", "exposure", rng.choice([0.2, 0.6, 0.95, 1.0]), "SML"[index % 3]))
    return pd.DataFrame(rows, columns=["image", "annotation", "servers", "metric", "value", "tag"])


def attack_values(
    defense: PluginIdentity, rule: CoalitionRule, attack: PluginIdentity, rng: np.random.Generator
) -> pd.DataFrame:
    strength = SEEN[defense.name] + (0.1 if attack is READER else 0.0) + (0.2 if rule.c == "N" else 0.0)
    rows = []
    for image in IMAGES:
        for servers in ("0", "1", "2")[: rule.m]:
            leaked = strength + rng.normal(0, 0.05)
            rows += [
                (image, servers, "whole", "RMSE", 0.3 * (1 - leaked) + 0.2),
                (image, servers, "hidden", "RMSE", 0.3 * (1 - leaked) + 0.25),
                (image, servers, "whole", "SSIM", leaked / 2),
                (image, servers, "hidden", "SSIM", leaked / 3),
                (image, servers, "whole", "leakage[RMSE]", leaked),
                (image, servers, "whole", "leakage[SSIM]", leaked - 0.1),
                (image, servers, "hidden", "advantage[RMSE]", rng.normal(0, 0.02)),
            ]
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])


def latency_values(rng: np.random.Generator) -> pd.DataFrame:
    phases = ("prepare", "uplink", "slowest server", "downlink", "edge", "decoder")
    rows = []
    for image in IMAGES[:20]:
        for metric in ("wall", "turn-taking"):
            times = rng.uniform(0.01, 0.1, len(phases))
            rows += [
                (image, "", phase, metric, seconds) for phase, seconds in zip(phases, times, strict=True)
            ]
            rows.append((image, "", "end to end", metric, times.sum()))
        rows += [(image, server, "", "bytes up", 150528.0) for server in ("0", "1")]
        rows += [(image, server, "", "bytes down", 1024.0) for server in ("0", "1")]
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two splits, a blur and the reference; one attack fails once and is skipped once; one defense breaks."""
    directory = tmp_path_factory.mktemp("made")
    (directory / "suite.toml").write_text(SUITE, encoding="utf-8")
    made = Made(directory=directory, values={}, cells={})
    planned = []
    for key, cell, values, outcome in _cells(np.random.default_rng(5)):
        planned.append(cell)
        made.cells[key] = cell.cell_id
        metrics: Any = ()
        if values is not None and "status" not in outcome:
            made.values[cell.cell_id] = values
            write_values(directory, cell.cell_id, 0, values)
            metrics = _metrics(cell, values)
        fields: dict[str, Any] = {"status": "ok", **outcome}
        append_record(
            directory,
            Record(
                cell_id=cell.cell_id, cell=cell.as_dict(), metrics=metrics, provenance=PROVENANCE, **fields
            ),
        )
    write_plan(directory, [cell.cell_id for cell in planned])
    return made


def _metrics(cell: Cell, values: pd.DataFrame) -> Any:
    if cell.kind == "utility":
        return utility_metrics(values)
    if cell.kind == "latency":
        return latency_metrics(values)
    if cell.attack is None:
        return geometry_metrics(values)
    return privacy_metrics(values, {m.column: m for m in (RootMeanSquareError(), StructuralSimilarity())})


def _cells(
    rng: np.random.Generator,
) -> Iterator[tuple[tuple[Any, ...], Cell, pd.DataFrame | None, dict[str, Any]]]:
    """Key, cell, values and what differs from a record that is ok."""
    for name, defense in (("u", UNDEFENDED), ("b", BLUR), ("3", SPLIT_3), ("25", SPLIT_25), ("x", BROKEN)):
        base = replace(BASE, defense=defense)
        broken: dict[str, Any] = (
            {"status": "failed", "reason": "server 1 died |\nsignal <9>"} if defense is BROKEN else {}
        )
        flags = {"flags": ("reference",)} if defense is UNDEFENDED else {"flags": ("few pictures",)}
        cell = replace(base, protocol="clicks: 1 click, box")
        yield (name, "utility"), cell, utility_values(defense, rng), flags | broken
        for rule in RULES:
            cell = replace(base, kind="privacy", coalition=rule)
            yield (name, rule.c, "geometry"), cell, geometry_values(defense, rule, rng), broken
            for attack in (FLOOR, READER):
                outcome: dict[str, Any] = broken
                if attack is READER and defense is BLUR:
                    outcome = {"status": "skipped", "reason": "needs tokens"}
                if attack is READER and defense is SPLIT_25 and rule.c == 1:
                    outcome = {"status": "failed", "reason": "out of memory"}
                cell = replace(base, kind="privacy", coalition=rule, attack=attack, requests=1)
                yield (name, rule.c, attack.name), cell, attack_values(defense, rule, attack, rng), outcome
        cell = replace(base, kind="latency", link="loopback", dtype="float32")
        invalid = {"status": "invalid", "reason": "byte counts differ"} if defense is BLUR else broken
        yield (name, "latency"), cell, latency_values(rng), invalid


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser that logs what it asks for."""
    from tests.chromium import chromium

    with chromium() as driver:
        yield driver

"""Run directories made of given values, for comparisons whose outcome is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pedbench.measure.record import summed_up
from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.results.records import MetricValue, Record, append_record, write_plan
from pedbench.results.values import write_values
from pedbench.suites.cell import Cell, CoalitionRule, PluginIdentity

SUITE = """
name = "made"
version = 1
seed = 0
model = "mini"
attacks = ["floor"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 3 }]
[dataset]
name = "scenes"
[[utility]]
protocol = "clicks"
prompts = ["1"]
[[defenses]]
name = "blur"
[latency]
samples = 20
warmup = 2
"""

IMAGES = [f"scene-{index}" for index in range(8)]

BLUR = PluginIdentity(name="blur", version=1, params={"sigma": 0.02})
FLOOR = PluginIdentity(name="floor", version=1)

UTILITY = Cell(
    kind="utility",
    dataset="scenes",
    revision="1",
    selection="0" * 12,
    model="mini",
    weights="0" * 64,
    defense=BLUR,
    seed=0,
    protocol="clicks: 1",
)
GEOMETRY = replace(UTILITY, kind="privacy", protocol=None, coalition=CoalitionRule(c=1, m=3))
ATTACKED = replace(GEOMETRY, attack=FLOOR, requests=1, floors="0" * 12)
READ = replace(GEOMETRY, probe=PluginIdentity(name="reader", version=1), source="tiles", requests=1)
LATENCY = replace(UTILITY, kind="latency", protocol=None, link="loopback", dtype="float32")

HERE = {"cpu": "this one", "cpu_capability": "AVX2", "sources": {"blur": "a"}, "commit": "c" * 40}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A cell and what came of it."""

    cell: Cell
    values: pd.DataFrame | None = None
    status: Any = "ok"
    reason: str = ""
    floor: bool = False
    attacker: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


def write_run(
    directory: Path,
    cells: Sequence[Made],
    planned: Sequence[Cell] = (),
    coalitions: str = "[{ c = 1, m = 3 }]",
) -> Path:
    """Write a run directory.

    Args:
        planned: Further cells, to which the run has not come.
        coalitions: Rules of the suite.
    """
    directory.mkdir(parents=True)
    suite = SUITE.replace("[{ c = 1, m = 3 }]", coalitions)
    (directory / "suite.toml").write_text(suite, encoding="utf-8")
    for made in cells:
        metrics: tuple[MetricValue, ...] = ()
        if made.values is not None:
            write_values(directory, made.cell.cell_id, 0, made.values)
            metrics = summed_up(made.cell.as_dict(), made.values, [RootMeanSquareError()])
        append_record(
            directory,
            Record(
                cell_id=made.cell.cell_id,
                cell=made.cell.as_dict(),
                status=made.status,
                reason=made.reason,
                metrics=metrics,
                flags=made.flags,
                provenance={**HERE, **made.provenance},
                attacker={"floor": made.floor, **made.attacker} if made.cell.attack else {},
            ),
        )
    write_plan(directory, [cell.cell_id for cell in (*(made.cell for made in cells), *planned)])
    return directory


def utility(ious: Any) -> pd.DataFrame:
    """IoU of medium objects: one list for each picture."""
    rows = [
        (image, number, "IoU[1 click]", value, "M")
        for image, values in zip(IMAGES, ious, strict=False)
        for number, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["image", "annotation", "metric", "value", "tag"])


def attacked(leakages: Any) -> pd.DataFrame:
    """Leakage of each picture to two coalitions, the second of which learns less."""
    rows = [
        (image, servers, "whole", "leakage[RMSE]", value - less)
        for image, value in zip(IMAGES, leakages, strict=False)
        for servers, less in (("0", 0.0), ("1", 0.1))
    ]
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])


def timed(seconds: float, pictures: int = 8, up: float = 1000.0) -> pd.DataFrame:
    """A time for each picture, and bytes to two servers."""
    rows = [
        row
        for number in range(pictures)
        for row in (
            (f"scene-{number}", "", "end to end", "wall", seconds),
            (f"scene-{number}", "0", "", "bytes up", up),
            (f"scene-{number}", "1", "", "bytes up", 2 * up),
        )
    ]
    return pd.DataFrame(rows, columns=["image", "servers", "region", "metric", "value"])

"""What others report about the same question: shown beside what was measured, never mixed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pedbench.report.words.text import NOTHING, estimate, table
from pedbench.results.run import Run
from pedbench.validity.flags import UNVERIFIED

_PAPER = "arXiv 2512.09309"
_FAST = "segment-anything-fast, `experiments/results.csv`"


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A reported number, and the model and defense that it is about."""

    what: str
    source: str
    miou: str
    encoder: str = NOTHING
    model: str
    defense: str
    params: Mapping[str, Any] = field(default_factory=lambda: {"weights": "original"})


_ROWS = [
    _Row(
        what="SAM ViT-H, nothing offloaded",
        source=_PAPER,
        miou="0.584",
        encoder="17,700 ms on a Jetson Orin Nano",
        model="vit_h",
        defense="on_device",
    ),
    _Row(
        what="PED-SAM ViT-H",
        source=_PAPER,
        miou="0.563",
        encoder="9,624 ms with three GPUs",
        model="vit_h",
        defense="ped_sam",
        params={"servers": 3, "weights": "fine-tuned"},
    ),
    _Row(
        what="SAM ViT-H behind a Gaussian blur",
        source=_PAPER,
        miou="0.209",
        model="vit_h",
        defense="gaussian_blur",
    ),
    _Row(what="SAM ViT-H, float32, an A100", source=_FAST, miou="0.5842", model="vit_h", defense="on_device"),
    _Row(what="SAM ViT-B, float32, an A100", source=_FAST, miou="0.5336", model="vit_b", defense="on_device"),
]


def published_table(run: Run, utility: pd.DataFrame, latency: pd.DataFrame) -> str:
    """As Markdown: mIoU on COCO's val2017 by one point (protocol `saf`), and the time of the encoder.

    What a run on COCO measured of the same model stands in columns of its own.

    Args:
        run: Whose report this is.
        utility: From `tables.utility`.
        latency: From `tables.latency`.
    """
    headers = ["reported", "source", "mIoU on COCO, saf ↑", "encoder ↓"]
    lines = [[row.what, row.source, row.miou, row.encoder] for row in _ROWS]
    measured = [_measured(row, run, utility, latency) for row in _ROWS]
    if any(any(cells) for cells in measured):
        headers += ["measured here: mIoU, saf ↑", "pictures", "end to end ↓"]
        lines = [[*line, *(cells or (NOTHING,) * 3)] for line, cells in zip(lines, measured, strict=True)]
    return table(headers, lines, left=2)


def _measured(
    row: _Row, run: Run, utility: pd.DataFrame, latency: pd.DataFrame
) -> tuple[str, str, str] | tuple[()]:
    if run.suite.dataset.name != "coco" or run.suite.model != row.model:
        return ()
    labels = [
        label
        for label, identity in run.defenses.items()
        if identity["name"] == row.defense and row.params.items() <= identity["params"].items()
    ]
    for label in labels:
        saf = utility[(utility["defense"] == label) & (utility["metric"] == "mIoU[saf]")]
        saf = saf[(saf["region"] == "all") & (saf["status"] == "ok")]
        if saf.empty:
            continue
        number = saf.iloc[0]
        wall = latency[(latency["defense"] == label) & (latency["metric"] == "wall p50")]
        wall = wall[(wall["region"] == "end to end") & (wall["status"] == "ok")]
        time = NOTHING if wall.empty else estimate(wall.iloc[0]["value"], None, None, "s")
        doubt = f", {UNVERIFIED}" if UNVERIFIED in number["flags"].split("; ") else ""
        return f"{estimate(number['value'], number['low'], number['high'])}{doubt}", str(number["n"]), time
    return ()

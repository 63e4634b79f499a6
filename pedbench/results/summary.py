"""Metrics of a record, computed from the values of its cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pedbench.base import Metric
from pedbench.privacy.scoring import KNOW_NOTHING
from pedbench.results.records import MetricValue
from pedbench.results.statistics import (
    Estimate,
    mean,
    mean_over,
    per_picture,
    quantile,
    quantile_over,
    worst_coalition,
    worst_values,
)
from pedbench.results.values import Columns

if TYPE_CHECKING:
    import pandas as pd

Better = Literal["higher", "lower"]

SIZES = {"S": ("S",), "M": ("M",), "L": ("L",), "ML": ("M", "L")}
"""COCO's size classes, and medium and large together."""

SECRETS = {"text": ("text",), "face": ("face",)}

EXPOSURE_LEVELS = {">= 50 %": 0.5, ">= 90 %": 0.9, "100 %": 1.0}

ANY_PIXEL = {"> 0 %": np.nextafter(0, 1)}
"""Share of a secret above which it counts as exposed: its first pixel shows that the defense has missed it."""

TAILS: Mapping[str, Mapping[Better, float]] = {
    ", p90": {"lower": 0.9, "higher": 0.1},
    ", worst": {"lower": 1.0, "higher": 0.0},
}
"""Endings of the names of tails, each with the quantile by which way the defender wants the metric to go."""

RETRIEVAL = re.compile(r"(rank-1|reciprocal rank) of (\d+)")
"""Pattern of the metrics of a search in a gallery of that many pictures."""

FOUND, EXPECTED = "liar found", "expected to be found"
"""Metrics of each pass with liars: whether one of them was detected, and how likely that was."""

MOMENTS = ("begins", "ends")
"""Values of each step of a pass: seconds since the pass began; the step is the region, its number the tag."""

_VERSION = 1
"""Version of the metrics defined here; those of plugins have their own."""


def utility_metrics(values: pd.DataFrame) -> tuple[MetricValue, ...]:
    """Return mean IoU (or agreement) per prompt: over annotations, by size, at window borders, and over pictures.

    Args:
        values: Of one utility cell; `metric` is `IoU[PROMPT]` or `agreement`, `tag` the size class and " cut".
    """
    return tuple(_utility(values))


def _utility(values: pd.DataFrame) -> Iterator[MetricValue]:
    for metric, rows in values.groupby("metric", sort=False):
        name = str(metric).replace("IoU[", "mIoU[")
        tags = rows["tag"].str.split()
        yield _value(name, "all", mean(rows), "utility", "higher")
        for size, members in SIZES.items():
            of_size = rows[tags.str[0].isin(members)]
            if not of_size.empty:
                yield _value(name, size, mean(of_size), "utility", "higher")
        cut = rows[tags.str[-1] == "cut"]
        if not cut.empty:
            yield _value(name, "cut", mean(cut), "utility", "higher")
        per_picture = rows.groupby("image")["value"].mean().reset_index()
        yield _value(f"{name}, per picture", "all", mean(per_picture), "utility", "higher")


def integrity_metrics(values: pd.DataFrame) -> tuple[MetricValue, ...]:
    """Return `utility_metrics` and the observed and the expected detection rate of dishonest servers.

    Args:
        values: Of one integrity cell: those of a utility cell, and `liar found` and `expected to be found` per pass.
    """
    passes = values["metric"].isin([FOUND, EXPECTED])
    rates = [
        _value(name, "", mean(values[values["metric"] == name]), "utility", "higher")
        for name in (FOUND, EXPECTED)
    ]
    return (*utility_metrics(values[~passes]), *rates)


def geometry_metrics(values: pd.DataFrame) -> tuple[MetricValue, ...]:
    """Summarise what arrived, without any attack: shares of the frame, and how much of each object one coalition holds.

    Args:
        values: Of one geometry cell: `visible share` per coalition, `content share` per server, `exposure` per
            annotation and `secret exposure` per secret (already the largest over coalitions), with the size
            class or the secret's kind as tag.
    """
    result = []
    retrieval = [name for name in values["metric"].unique() if RETRIEVAL.fullmatch(name)]
    for name in ("visible share", "content share", *retrieval):
        rows = values[values["metric"] == name]
        if not rows.empty:
            result.append(_value(name, "", mean(worst_coalition(rows, "lower")), "privacy", "lower"))
    for metric, levels, tags in (
        ("exposure", EXPOSURE_LEVELS, SIZES),
        ("secret exposure", {**ANY_PIXEL, **EXPOSURE_LEVELS}, SECRETS),
    ):
        exposed = values[values["metric"] == metric]
        for name, level in levels.items():
            reached = exposed.assign(value=(exposed["value"] >= level).astype(float))
            for region, members in {"all": None, **tags}.items():
                rows = reached if members is None else reached[reached["tag"].isin(members)]
                if not rows.empty:
                    result.append(_value(f"{metric} {name}", region, mean(rows), "privacy", "lower"))
    return tuple(result)


def privacy_metrics(values: pd.DataFrame, metrics: Mapping[str, Metric]) -> tuple[MetricValue, ...]:
    """Summarise each metric and region: the worst coalition of each picture, then mean and tail over pictures.

    Args:
        values: Of one privacy cell with an attack.
        metrics: By column name.
    """
    # One draw alone says nothing: they count where the worst of several attacks is told.
    values = values[~values["metric"].str.startswith(KNOW_NOTHING)]

    def better(name: str) -> Better:
        return metrics[name].better if name in metrics else "lower"

    result = []
    for name, region, worst in worst_values(values, better):
        unit = metrics[name].unit if name in metrics else ""
        inner = metrics.get(name) or metrics.get(name.partition("[")[2].rstrip("]"))
        version = inner.version if inner is not None else _VERSION
        tails = {
            f"{name}{ending}": quantile_over(worst, quantiles[better(name)], interval=False)
            for ending, quantiles in TAILS.items()
        }
        for label, estimate in {name: mean_over(worst), **tails}.items():
            result.append(_value(label, region, estimate, "privacy", better(name), unit, version))
    return tuple(result)


def latency_metrics(values: Columns | pd.DataFrame) -> tuple[MetricValue, ...]:
    """Return median and 90th percentile of each phase, by way of measuring, and bytes each way.

    Args:
        values: Of one latency cell: `wall`, `turn-taking` and `projected` in seconds with the phase as region; `bytes
            up` and `bytes down` per server; `energy` in joules with the power rail as region; `MOMENTS`, which no
            average sums up.
    """
    groups: dict[tuple[str, str], dict[str, list[Any]]] = {}
    columns = (values[name] for name in ("metric", "region", "image", "value"))
    for metric, phase, image, value in zip(*columns, strict=True):
        if metric in MOMENTS:
            continue
        rows = groups.setdefault((metric, phase), {"image": [], "value": []})
        rows["image"].append(image)
        rows["value"].append(value)
    result = []
    for (name, phase), rows in groups.items():
        if name.startswith("bytes"):
            result.append(_value(name, "", mean_over(per_picture(rows)[0]), "latency", "lower", "B"))
            continue
        if name == "energy":
            result.append(_value(name, phase, mean(rows), "latency", "lower", "J"))
            continue
        for label, q in ((f"{name} p50", 0.5), (f"{name} p90", 0.9)):
            result.append(_value(label, phase, quantile(rows, q), "latency", "lower", "s"))
    return tuple(result)


def _value(
    name: str,
    region: str,
    estimate: Estimate,
    axis: Literal["utility", "privacy", "latency"],
    better: Better,
    unit: str = "",
    version: int = _VERSION,
) -> MetricValue:
    return MetricValue(
        name=name,
        region=region,
        axis=axis,
        better=better,
        unit=unit,
        value=estimate.value,
        ci95=estimate.ci95,
        n=estimate.n,
        version=version,
    )

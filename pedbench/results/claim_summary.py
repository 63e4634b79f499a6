"""Metrics of a record about claims, computed from the values of its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pedbench.privacy.claims import ERRORS, FOUND, UNDEFENDED
from pedbench.results.records import MetricValue
from pedbench.results.statistics import Estimate, mean, retention, worst_coalition_rows

if TYPE_CHECKING:
    import pandas as pd

PLANTED, RELATIVE = "planted", "relative"
"""Regions: over all secrets that are there; and relative to what the probe finds in the frame itself."""

LEAST_FOUND = 0.8
"""Share of the planted secrets that a probe has to find in the frame itself: else its silence proves nothing."""

_VERSION = 1


def mistrusted(values: pd.DataFrame) -> str:
    """Return why claims say nothing: the probe misses too much of the undefended pictures. Empty if it finds enough.

    Args:
        values: Of one cell about claims.
    """
    for name in FOUND.values():
        itself = values[values["metric"] == f"{name}[{UNDEFENDED}]"]
        if not itself.empty and (found := mean(itself).value) < LEAST_FOUND:
            return (
                f"finds {found:.2f} of {len(itself)} planted secrets in the undefended pictures, expected are at "
                f"least {LEAST_FOUND}: what it misses elsewhere says nothing. Take more pictures, or another probe"
            )
    return ""


def claim_metrics(values: pd.DataFrame) -> tuple[MetricValue, ...]:
    """Summarise each measure over all planted secrets, and shares found relative to the undefended picture.

    The worst coalition of each picture counts, separately for each measure.

    Args:
        values: Of one cell: `NAME[SOURCE]` per secret (the annotation) and coalition, and `NAME[undefended]` per
            secret.
    """
    result = []
    for metric in values["metric"].unique():
        name, _, source = str(metric).rstrip("]").partition("[")
        rows = values[values["metric"] == metric]
        if source != UNDEFENDED:
            rows = worst_coalition_rows(rows, _better(name))
        result.append(_value(str(metric), PLANTED, name, mean(rows)))
        itself = values[values["metric"] == f"{name}[{UNDEFENDED}]"]
        if name != ERRORS and source != UNDEFENDED and itself["value"].any():
            result.append(_value(str(metric), RELATIVE, name, retention(rows, itself)))
    return tuple(result)


def _better(name: str) -> Literal["higher", "lower"]:
    """Return which way the defender wants a measure to go: all but errors are shares of secrets that were read."""
    return "higher" if name == ERRORS else "lower"


def _value(metric: str, region: str, name: str, estimate: Estimate) -> MetricValue:
    return MetricValue(
        name=metric,
        region=region,
        axis="privacy",
        better=_better(name),
        unit="",
        value=estimate.value,
        ci95=estimate.ci95,
        n=estimate.n,
        version=_VERSION,
    )

"""Results on the standing scenes and on fresh ones: `python -m tools.studies.fresh_scenes STANDING FRESH`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pedbench.report.outputs.content import gather
from pedbench.results.run import load
from tools.documents.measured_blocks import measured

COLUMNS = {
    "utility": "mIoU",
    "leakage[RMSE]_c1_m50": "leakage[RMSE]",
    "leakage[SSIM]_c1_m50": "leakage[SSIM]",
    "leakage[LPIPS-scoring]_c1_m50": "leakage[LPIPS-scoring]",
}
"""Titles by the names of columns."""


def compare(standing: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """Return a table of two runs' results by defense, and the largest difference of each column.

    Args:
        standing: The combined results of one run.
        fresh: Those of the other.

    Raises:
        ValueError: The runs have different defenses.
    """
    first, second = (each.set_index("defense") for each in (standing, fresh))
    if set(first.index) != set(second.index):
        raise ValueError("expected two runs of the same defenses")
    table = pd.DataFrame(index=[f"`{name}`" for name in first.index])
    largest = []
    for name, title in COLUMNS.items():
        pairs = [[_with_interval(each.loc[row], name) for row in first.index] for each in (first, second)]
        table[f"{title}, standing"], table[f"{title}, fresh"] = pairs
        apart = (second[f"{name}_value"] - first[f"{name}_value"]).dropna()
        row = str(apart.abs().idxmax())
        largest.append(f"{apart[row]:+.3f} of {title} (`{row}`)")
    lines = table.rename_axis("defense").reset_index().to_markdown(index=False)
    return f"{lines}\n\nThe largest differences of the fresh scenes: {', '.join(largest)}."


def _with_interval(row: pd.Series, name: str) -> str:
    if pd.isna(row[f"{name}_value"]):
        return ""
    return f"{row[f'{name}_value']:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


@measured("measured/fresh_scenes.md", "fresh scenes")
def main(standing: Path, fresh: Path) -> str:
    """Fill docs/measured/fresh_scenes.md from two runs of mini."""
    return compare(*(gather(load(run)).frames["combined"] for run in (standing, fresh)))


if __name__ == "__main__":
    main()

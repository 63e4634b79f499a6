"""Compare split inference with and without learned noise, from a run: `python -m tools.studies.feature_noise RUN`.

Prints a sentence and a table, and writes them into docs/measured/split_inference.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pedbench.report.numbers.tidy import utility
from pedbench.report.words.text import code, estimate, table
from pedbench.results.run import Run, load
from pedbench.results.statistics import mean
from tools.documents.measured_blocks import measured
from tools.studies.split_inference import COLUMNS

KEPT = "feature_noise"
"""The defense whose utility is stated."""


def values(run: Run) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the values of the whole frame by defense and attack, without floors."""
    found = {}
    for record in run.of_kind("privacy"):
        if record.status == "ok" and "attack" in record.cell and not record.attacker["floor"]:
            frame = run.values(record.cell_id)
            found[run.defense(record), run.attack(record)] = frame[frame["region"] == "whole"]
    return found


def block(utilities: pd.DataFrame, found: Mapping[tuple[str, str], pd.DataFrame]) -> str:
    """Return a sentence about the utility of `KEPT` and a table of what attacks learn of each defense.

    Args:
        utilities: The run's utility, as `tidy.utility` returns it.
        found: Values of the whole frame by defense and attack.

    Raises:
        ValueError: The run lacks the one-click mIoU of `KEPT`, or attacks.
    """
    of_all = (utilities["defense"] == KEPT) & (utilities["region"] == "all")
    kept = utilities[of_all & utilities["metric"].str.startswith("mIoU")]
    if kept.empty or not found:
        raise ValueError(f"expected a run with the one-click mIoU of {KEPT} and with attacks")
    score, rows = kept.iloc[0], []
    for (defense, attack), frame in found.items():
        means = [mean(frame[frame["metric"] == column]) for column in COLUMNS]
        shown = [estimate(each.value, *(each.ci95 or (None, None))) for each in means]
        rows.append([code(defense), code(attack), *shown])
    pictures = max(frame["image"].nunique() for frame in found.values())
    reached = estimate(score["value"], score["low"], score["high"])
    share = estimate(score["retention"], score["retention_low"], score["retention_high"])
    return (
        f"`{KEPT}` reaches a one-click mIoU of {reached}, a retention of {share}. {pictures} pictures, one server, the "
        "whole frame. [low, high] is a 95 % bootstrap interval over pictures.\n\n"
        f"{table(['defense', 'attack', *COLUMNS], rows, left=2)}"
    )


@measured("measured/split_inference.md", "feature noise")
def main(run: Path) -> str:
    """Fill docs/measured/split_inference.md from a run of tools/studies/feature_noise.toml."""
    found = load(run)
    return block(utility(found), values(found))


if __name__ == "__main__":
    main()

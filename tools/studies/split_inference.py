"""Compare attacks on tokens behind k blocks, from runs: `python -m tools.studies.split_inference RUN...`.

The runs measure `split_blocks` on the same pictures. Prints the tables and writes them into
docs/measured/split_inference.md.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pedbench.report.words.text import code, shown, table
from pedbench.results.run import Run, load
from pedbench.results.statistics import difference, mean
from tools.documents.measured_blocks import measured

COLUMNS = ("leakage[RMSE]", "leakage[SSIM]", "leakage[LPIPS-scoring]")

REFERENCE = "token_inversion"
"""The attack to whose values the others' are compared, picture by picture."""

Values = dict[tuple[int, str], pd.DataFrame]
"""Values of the whole frame, by the number of blocks and the attack."""


def values(run: Run) -> Values:
    """Return the values of all attacks of a run on `split_blocks`, without floors."""
    found = {}
    for record in run.of_kind("privacy"):
        defense = record.cell["defense"]
        if defense["name"] != "split_blocks" or record.status != "ok":
            continue
        if "attack" in record.cell and not record.attacker["floor"]:
            frame = run.values(record.cell_id)
            found[defense["params"]["blocks"], run.attack(record)] = frame[frame["region"] == "whole"]
    return found


def tables(found: Values) -> str:
    """Return a table of leakage and one of its differences to `REFERENCE`.

    Args:
        found: Values of all attacks and depths, of the same pictures.

    Raises:
        ValueError: There are no values, or they are of different pictures.
    """
    if not found:
        raise ValueError("expected runs with attacks on split_blocks, found none")
    pictures, *others = (set(frame["image"]) for frame in found.values())
    if any(each != pictures for each in others):
        raise ValueError("expected values of the same pictures in all runs")
    leakage, apart = [], []
    for (blocks, attack), frame in sorted(found.items()):
        reference = found.get((blocks, REFERENCE))
        head = [str(blocks), code(attack)]
        columns = [frame[frame["metric"] == column] for column in COLUMNS]
        leakage.append(head + [shown(mean(column)) for column in columns])
        if reference is not None and attack != REFERENCE:
            pairs = zip(COLUMNS, columns, strict=True)
            apart.append(
                head + [shown(difference(own, reference[reference["metric"] == name])) for name, own in pairs]
            )
    headers = ["blocks", "attack", *COLUMNS]
    return (
        f"{len(pictures)} pictures, one server, the whole frame. [low, high] is a 95 % bootstrap interval over "
        f"pictures.\n\n{table(headers, leakage, left=2)}\n\n"
        f"Differences to `{REFERENCE}`, picture by picture; above 0 the attack learns more:\n\n"
        f"{table(headers, apart, left=2)}"
    )


@measured("measured/split_inference.md", "split inference")
def main(runs: list[Path]) -> str:
    """Fill docs/measured/split_inference.md from one or several runs of the same pictures."""
    found: Values = {}
    for directory in runs:
        found |= values(load(directory))
    return tables(found)


if __name__ == "__main__":
    main()

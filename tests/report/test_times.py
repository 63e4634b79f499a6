"""Tables of times from values that are written down here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pedbench.report.numbers.times import times
from pedbench.report.tables.times import time_tables
from pedbench.report.words.text import PHASES


def values(sent: int, pictures: int) -> pd.DataFrame:
    """Return values of a cell: each phase takes 1, 2, ... ms, and every picture a second longer to prepare."""
    rows: list[dict[str, Any]] = []
    for picture in range(pictures):
        seconds = {phase: number / 1000 for number, phase in enumerate(PHASES, 1)}
        seconds["prepare"] += picture
        for phase, value in {**seconds, "lower bound": 0.5}.items():
            rows.append({"image": str(picture), "metric": "wall", "region": phase, "value": value})
        for size in [sent] * bool(sent) * 2:
            rows.append({"image": str(picture), "metric": "bytes up", "region": "", "value": size})
        rows.append({"image": str(picture), "metric": "energy", "region": "VDD_IN", "value": 2.0 * sent})
    return pd.DataFrame(rows)


def made_run(pictures: int) -> Any:
    """Return a run of on_device, ped_sam and a defense that failed, as far as `times` looks at it."""
    records = [
        SimpleNamespace(cell_id=name, cell={"link": "lte", "dtype": "float32"}, status=status, flags=())
        for name, status in (("on_device", "ok"), ("ped_sam", "ok"), ("blur", "failed"))
    ]
    return SimpleNamespace(
        values=lambda cell_id: values(100 * (cell_id == "ped_sam"), pictures),
        of_kind=lambda kind: records,
        defense=lambda record: record.cell_id,
        suite=SimpleNamespace(latency=SimpleNamespace(turn_taking=True)),
    )


@pytest.mark.parametrize("pictures", [1, 3, 100])
def test_rows_follow_from_the_values(pictures: int) -> None:
    frame = times(made_run(pictures)).set_index(["way", "defense"])
    # What sends nothing takes no turns: its wall times stand for those.
    assert [*frame.index] == [
        ("wall", "on_device"),
        ("turn-taking", "on_device"),
        ("wall", "ped_sam"),
        ("wall", "blur"),
    ]
    row: Any = frame.loc["wall", "ped_sam"]
    middle = (pictures - 1) / 2
    assert row["p50"] == pytest.approx(0.021 + middle)
    assert row["lower bound"] == pytest.approx(0.506)
    assert [row[phase] for phase in PHASES[1:]] == pytest.approx([0.002, 0.003, 0.004, 0.005, 0.006])
    assert (row["bytes up"], row["energy"], row["against_device"], row["n"]) == (200, 200, 1, pictures)
    assert pd.notna(row["p50_low"]) == (pictures > 1)
    assert pd.notna(row["p99"]) == (pictures == 100)
    assert frame["status"]["wall", "blur"] == "failed"


@pytest.mark.parametrize("pictures", [1, 100])
def test_tables_have_a_line_a_defense_and_say_the_unit(pictures: int) -> None:
    wall, turns = time_tables(times(made_run(pictures)), {})
    unit, tail = ("ms", "max") if pictures == 1 else ("s", "p99")
    assert (wall.title, turns.title) == (
        f"Wall, link lte, float32, {unit}",
        f"Turn-taking, link lte, float32, {unit}",
    )
    lines = wall.markdown().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`on_device`", "`ped_sam`", "`blur`"]
    assert f" {tail} |" in lines[0]
    assert "**failed**" in lines[4]
    assert "200 B" in lines[3]

"""The first table as it is shown, on made-up runs: what folds, what is apart, and which columns it has."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pedbench.report.outputs.terminal import MEANINGS, console_tables
from pedbench.report.tables.first import first_tables
from pedbench.report.tables.table import Table
from pedbench.results.merge import merge
from pedbench.results.run import load
from tests.report.made_defenses import REFERENCE, Numbers, made_run

BLUR = Numbers(name="blur", params={"sigma": 1.0, "weights": "original"})
TUNED = Numbers(name="blur", params={"sigma": 1.0, "weights": "tuned"}, leakage=None, wall=None)
SPLIT = Numbers(name="split", params={"servers": 3})
DECOY = Numbers(name="noise", flags=("control: decoy",), leakage=0.0, wall=None)


ALWAYS = ["defense", "retention", "of", "n"]


def names(table: Table) -> list[str]:
    return [str(row[0]) for row in table.rows if not str(row[0]).startswith("reported")]


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


@pytest.mark.slow
def test_variants_fold_and_controls_stand_apart(tmp_path: Path) -> None:
    tables = first_tables(made_run(tmp_path / "run", [REFERENCE, BLUR, TUNED, SPLIT, DECOY]))
    assert {str(table.title): names(table) for table in tables} == {
        "": ["whole", "blur(weights=original)", "split"],
        "Variants": ["blur(weights=tuned)"],
        "Controls": ["noise"],
    }
    assert sum(str(row[0]).startswith("reported on COCO") for row in tables[0].rows) == 3
    assert not any(str(row[0]).startswith("reported") for table in tables[1:] for row in table.rows)
    assert titles(tables[1]) == ["defense", "mIoU[1 click], M+L", *ALWAYS[1:]]
    assert r"\texttt{split}" in tables[0].latex()


@pytest.mark.slow
def test_strengths_of_rows_in_full_stay_variants_and_others_leave(tmp_path: Path) -> None:
    def swept(weights: str, **numbers: Any) -> list[Numbers]:
        params = [{"sigma": sigma, "weights": weights} for sigma in (1.0, 2.0, 4.0)]
        return [Numbers(name="blur", params=each, wall=None, **numbers) for each in params]

    first = made_run(tmp_path / "a", [REFERENCE, BLUR, TUNED, SPLIT])
    frontier = [*swept("original"), *swept("tuned", leakage=None)]
    second = made_run(tmp_path / "b", [REFERENCE, *frontier])
    joined = first_tables(load(merge([first.directory, second.directory], tmp_path)))
    assert {str(table.title): names(table) for table in joined} == {
        "": ["whole", "blur(sigma=1.0, weights=original)", "split"],
        "Variants": ["blur(sigma=1.0, weights=tuned)"],
    }


@pytest.mark.slow
def test_a_sweep_joined_from_another_run_folds(tmp_path: Path) -> None:
    first = made_run(tmp_path / "a", [REFERENCE, BLUR, SPLIT])
    swept = [Numbers(name="fog", params={"depth": depth}, wall=None) for depth in (1, 2, 3)]
    second = made_run(tmp_path / "b", [REFERENCE, *swept])
    assert names(first_tables(second)[0]) == ["whole"]
    merged = load(merge([first.directory, second.directory], tmp_path))
    alone, joined = first_tables(first), first_tables(merged)
    assert names(joined[0]) == names(alone[0])
    assert [table.title for table in joined] == [table.title for table in alone]
    assert joined[0].markdown() == alone[0].markdown()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("about", "defenses", "absent"),
    [
        ({"dataset": "coco"}, [REFERENCE, BLUR, SPLIT], []),
        ({}, [SPLIT], []),
        ({"dataset": "folder", "agreement": True}, [REFERENCE, SPLIT], []),
        ({}, [Numbers(name="split", wall=None)], ["wall, measured"]),
        ({}, [Numbers(name="split", words=None)], ["words read"]),
        ({}, [Numbers(name="split", leakage=None)], ["leakage[RMSE], c=1", "visible, c=1", "words read"]),
    ],
    ids=["coco", "one defense", "no annotations", "no latency", "no probe", "no privacy"],
)
def test_every_run_has_the_same_columns_but_those_that_nothing_fills(
    tmp_path: Path, about: dict[str, Any], defenses: list[Numbers], absent: list[str]
) -> None:
    run = made_run(tmp_path / "run", defenses, **about)
    (table,) = first_tables(run)
    assert names(table) == [each.name if each is not BLUR else "blur" for each in defenses]
    expected = [*ALWAYS, "leakage[RMSE], c=1", "words read", "visible, c=1", "wall, measured"]
    assert {*expected} - {*titles(table)} == {*absent}
    assert titles(table)[1] == f"{'agreement' if 'agreement' in about else 'mIoU[1 click]'}, M+L"
    assert len({len(row) for row in table.rows}) == 1


def test_projected_times_name_both_devices(tmp_path: Path) -> None:
    devices = '{ edge = "jetson-orin-nano", server = "rtx-3090" }'
    (table,) = first_tables(made_run(tmp_path / "run", [REFERENCE, SPLIT], devices=devices))
    place = titles(table).index("projected, edge jetson-orin-nano, servers rtx-3090")
    assert [row[place] for row in table.rows[:2]] == [pytest.approx(0.4)] * 2


@pytest.mark.slow
def test_the_terminal_begins_with_the_first_table(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [REFERENCE, BLUR, TUNED, SPLIT])
    stream = io.StringIO()
    for table in console_tables(run, 220):
        Console(file=stream, width=220).print(table)
    shown = stream.getvalue()
    first, variants = shown.split("Variants")
    for title in ("leakage,", "masked autoencoder", "found", "RMSE", "LPIPS-alex", "words", "measured"):
        assert title in first
    assert "weights=tuned" in variants


@pytest.mark.parametrize("width", [80, 220])
def test_a_terminal_explains_lower_bounds_where_it_shows_one(tmp_path: Path, width: int) -> None:
    doubted = Numbers(name="noise", flags=("control: decoy",), wall=None, failed=True)
    run = made_run(tmp_path / "run", [REFERENCE, SPLIT, doubted])
    first, controls = (str(table.caption) for table in console_tables(run, width))
    assert MEANINGS["≥"] not in first
    assert MEANINGS["≥"] in controls

"""The first table, recomputed from the values of a run."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pedbench.report.numbers.first_table import BLIND, first_table
from pedbench.report.tables.first import first_table as as_table
from pedbench.results.run import Run, load
from tests.report.test_notebook import agreeing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Pixels, tokens, blurred pixels and nothing, with one of the two families."""
    finished = run_small(
        tmp_path_factory.mktemp("first"),
        ["filler"],
        defenses=[
            {"name": name, "params": params, "latency": False}
            for name, params in (
                ("on_device", {}),
                ("gaussian_blur", {}),
                ("ped_sam", {}),
                ("ped_sam", {"payload": "tokens16"}),
            )
        ],
        attacks=[
            "mean_colour",
            "read_degraded",
            "deblur",
            "patch_inversion",
            {"name": "filler", "read_outs": "all"},
        ],
        metrics=["root_mean_square_error", "structural_similarity"],
        coalitions=[{"c": 1}],
    )
    return load(finished.directory)


@pytest.fixture(scope="module")
def shown(run: Run) -> pd.DataFrame:
    return first_table(run).set_index(pd.Index(["nothing", "blurred", "pixels", "tokens"]))


def expected(run: Run, defense: str, attack: str) -> float:
    """Return the mean over pictures of the largest SSIM that a single server gives an attack, from the values."""
    (record,) = (
        record
        for record in run.of_kind("privacy")
        if (run.defense(record), run.attack(record)) == (defense, attack)
    )
    values = run.values(record.cell_id)
    chosen = values[(values["metric"] == "SSIM") & (values["region"] == "whole")]
    return float(chosen.groupby("image")["value"].max().mean())


@pytest.mark.parametrize(
    ("received", "attacks", "origin"),
    [
        ("nothing", ["filler"], BLIND),
        ("blurred", ["read_degraded", "deblur"], "read out by"),
        ("pixels", ["filler"], "filler"),
        ("tokens", ["filler after patch_inversion"], "filler after patch_inversion"),
    ],
)
def test_each_payload_has_the_reconstruction_that_fits_it(
    run: Run, shown: pd.DataFrame, received: str, attacks: list[str], origin: str
) -> None:
    row = shown.loc[received]
    best = max(expected(run, str(row["defense"]), attack) for attack in attacks)
    assert row["masked_autoencoder_SSIM_value"] == pytest.approx(best)
    assert row["masked_autoencoder_SSIM_how"].startswith(origin)
    assert row["masked_autoencoder_SSIM_n"] == 2


def test_only_what_was_measured_has_a_column(run: Run, shown: pd.DataFrame) -> None:
    table = as_table(run, shown, reported=True)
    titles = [column.title for column in table.columns]
    assert [title for title in titles if ": " in title] == ["masked autoencoder: SSIM"]
    assert sum("reported on COCO" in str(row[0]) for row in table.rows) == 3
    assert all(len(row) == len(titles) for row in table.rows)
    markdown = as_table(run, shown).markdown()
    assert f"({BLIND})" in markdown
    assert "(filler after patch_inversion)" in markdown


def test_the_notebook_has_the_same_reconstructions(run: Run) -> None:
    assert "masked autoencoder: SSIM" in agreeing(run)

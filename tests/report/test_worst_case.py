"""The worst case against loops over pictures, attacks and coalitions."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.adversary.prior import load_prior
from pedbench.measure.blind_guesses import draw_colour
from pedbench.report.numbers.speaking import speaking
from pedbench.report.numbers.worst_case import worst_cases
from pedbench.report.tables.attacks import speaking_tables
from pedbench.results.run import load


def largest(tables: list[pd.DataFrame], metric: str) -> np.ndarray[Any, Any]:
    found: dict[str, float] = {}
    for values in tables:
        rows = values[values["metric"] == metric]
        for image, value in zip(rows["image"], rows["value"], strict=True):
            found[image] = max(found.get(image, -np.inf), value)
    return np.array([found[image] for image in sorted(found)])


def one(frame: pd.DataFrame) -> Any:
    assert len(frame) == 1, frame
    return frame.iloc[0]


def test_each_picture_counts_with_its_worst_attack_and_coalition(made: Any) -> None:
    frame = worst_cases(load(made.directory))
    for defense, label in (("u", "undefended"), ("b", "blur"), ("3", "split(servers=3, note=plain)")):
        for c in (1, "N"):
            sizes = (1,) if c == 1 else (1, "N")
            keys = [(defense, size, attack) for attack in ("floor", "reader") for size in sizes]
            measured = [key for key in keys if made.cells[key] in made.values]
            for metric in ("leakage[RMSE]", "leakage[SSIM]", "advantage[RMSE]"):
                chosen = (frame["defense"] == label) & (frame["c"] == str(c)) & (frame["metric"] == metric)
                row = one(frame[chosen])
                # The hidden part of a smaller coalition is another one.
                counted = [key for key in measured if key[1] == c or metric.startswith("leakage")]
                expected = largest([made.values[made.cells[key]] for key in counted], metric)
                assert row.worst_case == pytest.approx(expected.mean(), rel=1e-12)
                assert row.p90 == pytest.approx(np.quantile(expected, 0.9), rel=1e-12)
                assert row.worst == expected.max()
                assert (row.attacks, row.n) == (len({attack for *_, attack in measured}), len(expected))
                assert row.worst_case_low < row.worst_case < row.worst_case_high
    failed = frame[(frame["defense"] == made.nasty) & (frame["c"] == "1")]
    assert failed["bound"].all()
    assert "broken" not in set(frame["defense"])


def test_the_reported_attack_is_cross_fitted_over_its_worst_coalitions(made: Any) -> None:
    run = load(made.directory)
    frame, worst = speaking(run), worst_cases(run)
    for defense, label in (("b", "blur"), ("3", "split(servers=3, note=plain)")):
        keys = [(defense, 1, attack) for attack in ("floor", "reader")]
        tables = [made.values[made.cells[key]] for key in keys if made.cells[key] in made.values]
        lines = np.array([largest([table], "leakage[RMSE]") for table in tables])
        images = sorted(set(tables[0].loc[tables[0]["metric"] == "leakage[RMSE]", "image"]))
        order = sorted(range(len(images)), key=lambda i: hashlib.sha256(images[i].encode()).hexdigest())
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        sums = [
            lines[lines[:, mine].mean(axis=1).argmax(), other].sum() for mine, other in (halves, halves[::-1])
        ]
        row, bound = (
            one(rows[(rows["defense"] == label) & (rows["c"] == "1") & (rows["metric"] == "leakage[RMSE]")])
            for rows in (frame, worst)
        )
        assert row.value == pytest.approx(sum(sums) / len(images), rel=1e-12)
        assert row.attack
        assert row.value <= bound.worst_case


def test_a_failed_attack_makes_every_number_a_lower_bound(made: Any) -> None:
    run = load(made.directory)
    worst, spoken = (
        frame[(frame["defense"] == made.nasty) & (frame["c"] == "1")]
        for frame in (worst_cases(run), speaking(run))
    )
    line = next(speaking_tables(spoken, worst)).markdown().splitlines()[2]
    for frame, name in ((worst, "worst_case"), (spoken, "value")):
        known = frame[frame["metric"] == "leakage[RMSE]"].iloc[0]
        assert f"≥ {known[name]:.3f}" in line
    assert "reader failed" in line


def test_draws_have_their_own_worst_case_and_the_gain_is_paired(small_run: Any) -> None:
    run = load(small_run.directory)
    frame = worst_cases(run)
    attacks = ("mean_colour", "random_image")
    for position, c in enumerate(("1", "N")):
        records = [small_run.of("ped_sam", attack=attack)[position] for attack in attacks]
        tables = [small_run.values(record) for record in records]
        for metric in ("leakage[RMSE]", "leakage[SSIM]", "advantage[RMSE]"):
            found = frame[(frame["defense"] == "ped_sam") & (frame["c"] == c) & (frame["metric"] == metric)]
            if c == "N" and metric == "advantage[RMSE]":
                assert found.empty
                continue
            row = one(found)
            best, lucky = largest(tables, metric), largest(tables, f"know_nothing_{metric}")
            assert len(lucky) == 4
            assert row.draws == pytest.approx(lucky.mean(), rel=1e-12)
            assert row.gain == pytest.approx((best - lucky).mean(), rel=1e-9, abs=1e-12)
            if c == "N":
                assert (row.worst_case, row.draws, row.gain) == pytest.approx((1, 1, 0))


def test_a_draw_is_scored_as_a_guess_of_one_colour_would_be(small_run: Any) -> None:
    """RMSE by hand: nothing is visible on the device, so draws and the guess of the mean colour are alike."""
    from pedbench.measure.seeds import generator
    from pedbench.registry import Registry

    record = small_run.of("on_device", attack="mean_colour")[0]
    values = small_run.values(record)
    dataset = Registry().create("datasets", "scenes", {"count": 8})
    prior = load_prior()
    for index in range(4):
        sample = dataset[index]
        mine = values[values["image"] == sample.id].set_index("metric")["value"]
        rng = generator(0, "scenes", sample.id, "knows nothing: mean_colour")
        errors = [
            np.sqrt(np.mean(np.square(sample.image.astype(float) - colour)))
            for colour in (draw_colour(prior, rng), prior.mean_colour)
        ]
        ratio = (1 - mine["know_nothing_leakage[RMSE]"]) / (1 - mine["leakage[RMSE]"])
        assert ratio == pytest.approx(errors[0] / errors[1], rel=1e-4)


def test_the_report_shows_the_worst_case_beside_its_draws(small_run: Any) -> None:
    report = (small_run.directory / "report.md").read_text()
    assert "### Attack that speaks and worst case, leakage[RMSE], c = 1 (m = 3)" in report
    table = pd.read_csv(small_run.directory / "tables" / "worst_case.csv")
    assert (table["gain"] - (table["worst_case"] - table["draws"])).abs().max() < 1e-9

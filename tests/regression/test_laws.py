"""Laws on made-up runs: they hold as numbers are computed, and each is broken when an old rule is put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.regression.laws import check_laws
from pedbench.report.numbers import best_defense, speaking, tidy
from pedbench.report.numbers.combined import combined
from pedbench.report.words.headline import headline_sentence
from pedbench.results.at_most import question, size
from pedbench.results.records import Record
from pedbench.results.run import Run, load
from pedbench.results.summary import geometry_metrics
from tests.regression.lawful_runs import HONEST, run_of, violations


@pytest.fixture(autouse=True)
def two_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs have two distances and no probe; these are enough for a name here."""
    monkeypatch.setattr(best_defense, "REQUIRED", ("RMSE", "SSIM"))


def headline(run: Run) -> str:
    return headline_sentence(run, combined(run), [])


@pytest.mark.slow
def test_an_honest_run_keeps_all_laws_and_names_the_best(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    assert violations(run) == []
    subjects = [found.subject for found in check_laws(run)]
    # Worst cases, what grows (leakages and the visible share), shares, speakers, and the headline.
    assert len(subjects) == 12 + 12 + 6 + 6 + 12 + 1
    assert "`split` gives most privacy by every measure" in headline(run)
    frame = combined(run).set_index("defense")
    for column in ("visible_share", "leakage[RMSE]", "leakage[SSIM]"):
        for defense in ("split", "veil"):
            names = [f"{column}_{rule}_value" for rule in ("c1_m3", "c2_m3", "cN_m1")]
            assert frame[names].loc[defense].astype(float).is_monotonic_increasing


def per_rule(run: Run, record: Record) -> pd.DataFrame:
    """The old rule: the worst of the coalitions of a size alone."""
    tables = []
    for each in run.of_kind("privacy"):
        same = each.cell["defense"] == record.cell["defense"] and size(each) == size(record)
        if same and "attack" in each.cell and each.status == "ok":
            worst = run.values(each.cell_id).groupby(["metric", "region", "image"])["value"].max()
            tables.append(worst.reset_index().assign(question=question(each)))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.slow
def test_worst_cases_of_one_size_alone_break_two_laws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "worst_at_most", per_rule)
    found = violations(run_of(tmp_path / "run"))
    assert any("split, c = 2 (m = 3), leakage[RMSE]" in line and "never lowers it" in line for line in found)
    assert any("falls from 0.199 at c = 1 to 0.149" in line for line in found)
    assert not any("c = 1 (m" in line for line in found)


def alone(run: Run, record: Record) -> Any:
    """The old rule: numbers of the coalitions of a size alone."""
    return record.metrics if "attack" in record.cell else geometry_metrics(run.values(record.cell_id))


@pytest.mark.slow
def test_shares_of_one_size_alone_break_the_law_of_growth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path / "run")
    monkeypatch.setattr(tidy, "numbers_at_most", alone)
    assert violations(run) == []
    found = {0.4: 0.15, 0.6: 0.15}
    for record in run.of_kind("privacy"):
        if "attack" not in record.cell:
            values = run.values(record.cell_id)
            run._values[record.cell_id] = values.assign(value=values["value"].replace(found))
    lines = violations(made_again(run))
    assert any("visible shares of split, c = 2 (m = 3): servers 0+1 see 0.150" in line for line in lines)
    assert any("share of split, c = 2 (m = 3), visible share: it falls from 0.200" in line for line in lines)


def made_again(run: Run) -> Run:
    """The same run with nothing computed, and the values that it keeps."""
    copy = load(run.directory)
    copy._values.update(run._values)
    return copy


@pytest.mark.slow
def test_a_limited_attack_that_is_ahead_is_named_and_takes_the_headline_away(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", limited=(0.9, 0.8))
    assert violations(run) == []
    row = combined(run).set_index("defense").loc["split"]
    assert row["leakage[RMSE]_c1_m3_value"] == pytest.approx(0.2 - 0.001 * 7 / 8)
    assert row["leakage[RMSE]_c1_m3_bound"]
    assert row["leakage[RMSE]_c1_m3_ahead"] == "inversion 0.899 on 2"
    assert "none can be named the most private: the numbers of `split` are lower bounds" in headline(run)
    weaker = run_of(tmp_path / "weaker", limited=(0.15, 0.05))
    assert not combined(weaker)["leakage[RMSE]_c1_m3_bound"].any()
    assert "`split` gives most privacy" in headline(weaker)


@pytest.fixture
def strongest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old rule: attacks with fewer pictures are out of it, and nothing says so."""
    monkeypatch.setattr(speaking.Contest, "bound", property(lambda contest: False))


@pytest.mark.slow
@pytest.mark.usefixtures("strongest")
def test_the_largest_n_alone_breaks_the_law_of_lower_bounds(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", limited=(0.9, 0.8))
    assert "`split` gives most privacy by every measure" in headline(run)
    found = violations(run)
    sentence = "told as 0.199 without ≥, and inversion, which was limited to 2 pictures, reaches 0.899 there"
    assert any("speaking attack of split, c = 1" in line and sentence in line for line in found)
    assert any("headline of split" in line and "limited to 2 pictures" in line for line in found)
    assert any("reader is failed" in line for line in violations(run_of(tmp_path / "failed", failed=True)))
    absent = violations(run_of(tmp_path / "absent", received=("pixels", "tokens")))
    assert any("no attack of the family inversion" in line for line in absent)


@pytest.mark.slow
def test_a_limited_attack_that_replaces_the_mean_breaks_a_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def candidates(contest: speaking.Contest) -> pd.DataFrame:
        means = contest.values.groupby("attack")["value"].mean()
        chosen: pd.DataFrame = contest.values[contest.values["attack"] == means.idxmax()]
        return chosen

    monkeypatch.setattr(speaking.Contest, "candidates", property(candidates))
    found = violations(run_of(tmp_path / "run", limited=(0.9, 0.8)))
    assert any("inversion speaks and guessed 2 of 8 pictures" in line for line in found)


@pytest.mark.slow
def test_a_lower_bound_that_is_named_best_breaks_a_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_defense, "_bounded", lambda row, columns: False)
    for case in ({"limited": (0.9, 0.8)}, {"failed": True}, {"received": ("pixels", "tokens")}):
        options: dict[str, Any] = dict(case)
        run = run_of(tmp_path / next(iter(case)), **options)
        assert any("headline" in line and "lower bound" in line for line in violations(run)), case


@pytest.mark.slow
def test_one_metric_alone_names_a_defense_that_leaks_more_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disagreeing = dict(HONEST) | {("split", "reader"): (0.2, 0.45)}
    run = run_of(tmp_path / "run", disagreeing)
    assert violations(run) == []
    assert (
        "the measures disagree (`split` least by leakage[RMSE], `veil` least by leakage[SSIM])"
        in headline(run)
    )
    monkeypatch.setattr(best_defense, "measures_of", lambda frame: ["leakage[RMSE]"])
    monkeypatch.setattr(best_defense, "REQUIRED", ("RMSE",))
    found = violations(load(run.directory))
    assert any("by leakage[SSIM] another defense leaks less" in line for line in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leakages", "words"),
    [
        (
            {("split", "reader"): (0.4, 0.3)},
            "8 pictures are too few to tell `split` from `veil` by leakage[RMSE]",
        ),
        (
            {("split", "reader"): (0.7, 0.1), ("veil", "reader"): (0.8, 0.3)},
            "leakage[RMSE] is 0.699, which is not below 0.5",
        ),
    ],
)
def test_the_headline_says_why_it_names_none(tmp_path: Path, leakages: Any, words: str) -> None:
    run = run_of(tmp_path / "run", dict(HONEST) | leakages)
    assert words in headline(run)
    assert violations(run) == []

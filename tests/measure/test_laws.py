"""Laws of the protocol that hold over whole runs, on made-up defenses."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pedbench.report.numbers.tidy import privacy
from pedbench.results.run import Run, load
from pedbench.validity.flags import CAPPED

FORMS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "renumbered": {"shift": 3},
    "png": {"payload": "png"},
    "window by window": {"chunk": 1},
    "more": {"more": 2},
}


@pytest.fixture(scope="module")
def run(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same windows in several forms, with coalitions of which not all are evaluated."""
    finished = run_small(
        tmp_path_factory.mktemp("laws"),
        plugins=["renumbered"],
        dataset={"name": "scenes", "params": {"count": 8}, "limit": 1},
        defenses=[{"name": "renumbered", "params": params} for params in FORMS.values()],
        attacks=["mean_colour", "nearest_pixel", "random_image"],
        metrics=["root_mean_square_error"],
        coalitions=[{"c": 1}, {"c": 2, "m": 5}, {"c": 4}, {"c": "N"}],
        latency={"samples": 1, "warmup": 0, "turn_taking": False},
    )
    return load(finished.directory)


@pytest.fixture(scope="module")
def leaked(run: Run) -> dict[str, pd.DataFrame]:
    """Numbers of privacy by form."""
    rows = privacy(run)
    assert set(rows["status"]) == {"ok"}
    keys = ["c", "attack", "metric", "region"]
    found = {}
    for (name, _), (_, mine) in zip(FORMS.items(), rows.groupby("defense", sort=False), strict=True):
        found[name] = mine.set_index(keys)[["value", "low", "high", "n"]].sort_index()
    return found


@pytest.mark.long
def test_numbers_of_servers_change_no_number(leaked: dict[str, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(leaked["renumbered"], leaked["as it is"], rtol=0, atol=1e-9)


@pytest.mark.long
@pytest.mark.parametrize("form", ["png", "window by window"])
def test_the_same_content_in_another_form_leaks_the_same(leaked: dict[str, pd.DataFrame], form: str) -> None:
    expected = leaked["as it is"]
    leakage = expected.index.get_level_values("metric").str.startswith("leakage[")
    difference = (leaked[form]["value"] - expected["value"])[leakage].abs()
    assert len(difference) > 10
    assert difference.max() <= 0.005


@pytest.mark.long
def test_a_server_that_gets_more_never_makes_its_defense_look_better(leaked: dict[str, pd.DataFrame]) -> None:
    less, more = (leaked[form]["value"] for form in ("as it is", "more"))
    leakage = less.index.get_level_values("metric").str.startswith("leakage[")
    assert (more[leakage] >= less[leakage] - 1e-9).all()
    alone = leakage & (less.index.get_level_values("c") == 1)
    assert (more[alone] > less[alone] + 0.01).all()


@pytest.mark.long
def test_fewer_coalitions_than_the_protocol_asks_for_are_flagged(run: Run) -> None:
    attacked = [record for record in run.of_kind("privacy") if "attack" in record.cell]
    assert {record.cell["coalition"]["c"] for record in attacked if CAPPED in record.flags} == {2}


@pytest.mark.long
def test_every_server_and_at_least_fifty_coalitions_are_evaluated(run: Run) -> None:
    for record in run.of_kind("privacy"):
        if record.cell.get("attack", {}).get("name") == "mean_colour":
            values = run.values(record.cell_id)
            counts = values[values["metric"] == "leakage[RMSE]"].groupby("image")["servers"].nunique()
            expected = {1: {8}, 2: {5}, 4: set(range(50, 71)), "N": {1}}[record.cell["coalition"]["c"]]
            assert set(counts) <= expected

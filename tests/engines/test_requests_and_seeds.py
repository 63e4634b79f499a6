"""How often a run attacks: requests, seeds and limited pictures of an attack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.engines.comparison import compare
from tests.engines.outcomes import scenes


@pytest.mark.long
def test_attacks_get_as_many_requests_as_they_declare(run_small: Any, tmp_path: Path) -> None:
    changes = {
        "defenses": [{"name": "ped_sam", "params": {"assignment": "random"}}],
        "metrics": ["root_mean_square_error"],
        "dataset": scenes(2),
    }
    plugins = ["one_request", "two_requests"]
    both = run_small(tmp_path / "2", plugins, attacks=["mean_colour", *plugins], **changes)
    assert {record.status for record in both.records} == {"ok"}, both.said
    one, two = both.of("ped_sam", attack="one_request")[0], both.of("ped_sam", attack="two_requests")[0]
    assert (one.cell["requests"], two.cell["requests"]) == (1, 2)
    assert "randomised defense attacked once" in one.flags
    assert "randomised defense attacked once" not in two.flags
    alone = run_small(tmp_path / "1", plugins, attacks=["mean_colour", "one_request"], **changes)
    # Requests of other attacks change neither an attack's values nor the geometry.
    for name in ("", "mean_colour", "one_request"):
        for left, right in zip(
            both.of("ped_sam", attack=name), alone.of("ped_sam", attack=name), strict=True
        ):
            assert left.cell_id == right.cell_id
            pd.testing.assert_frame_equal(both.values(left), alone.values(right), check_exact=True)
    # Two random assignments cover more of the frame than one: less is hidden, more has leaked.
    leaks = [
        both.values(r).query("metric == 'leakage[RMSE]'").groupby("image")["value"].max() for r in (one, two)
    ]
    assert (leaks[1] > leaks[0]).all()


@pytest.mark.long
def test_stochastic_attacks_run_as_often_as_the_suite_says(run_small: Any, tmp_path: Path) -> None:
    changes = {
        "defenses": [{"name": "ped_sam"}],
        "metrics": ["root_mean_square_error"],
        "dataset": scenes(2),
        "attacks": ["mean_colour", "lucky"],
    }
    once, often = (run_small(tmp_path / str(n), ["lucky"], seeds=n, **changes) for n in (1, 3))
    assert {record.status for record in often.records} == {"ok"}, often.said
    # Deterministic attacks have the same cells with the same values.
    for name in ("", "mean_colour"):
        for left, right in zip(
            once.of("ped_sam", attack=name), often.of("ped_sam", attack=name), strict=True
        ):
            assert left.cell_id == right.cell_id
            pd.testing.assert_frame_equal(once.values(left), often.values(right), check_exact=True)
    (alone, *_), (record, *_) = (run.of("ped_sam", attack="lucky") for run in (once, often))
    assert (alone.cell.get("seeds"), record.cell["seeds"]) == (None, 3)
    values = often.values(record)
    first = values[values["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, once.values(alone), check_exact=True)
    errors = values.query("metric == 'RMSE' and region == 'hidden'")
    assert errors.groupby(["image", "servers"])["value"].nunique().eq(3).all()
    # Several guesses of one picture count as one picture.
    (metric,) = (m for m in record.metrics if (m.name, m.region) == ("RMSE", "hidden"))
    assert metric.n == 2
    worst = errors.groupby(["image", "servers"])["value"].mean().groupby("image").min()
    assert metric.value == pytest.approx(worst.mean())


@pytest.mark.slow
def test_an_undeclared_random_defense_is_invalid(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedbench.plugins.defenses.ped_sam import PedSam

    monkeypatch.setattr(PedSam, "randomised", False)
    run = run_small(
        tmp_path,
        plugins=["two_requests"],
        defenses=[{"name": "ped_sam", "params": {"assignment": "random"}}],
        attacks=["mean_colour", "two_requests"],
    )
    assert {record.status for record in run.records} == {"invalid"}
    assert "two requests with the same picture differ, and randomised is False" in run.records[0].reason


@pytest.mark.long
def test_a_slow_attack_guesses_the_first_pictures_from_the_worst_coalitions_as_without_limits(
    run_small: Any, tmp_path: Path
) -> None:
    """A limit on an attack's pictures also holds for guesses without a view, which the control needs."""

    def run(name: str, **limit: Any) -> Any:
        return run_small(
            tmp_path / name,
            plugins=["lucky"],
            report=True,
            defenses=[{"name": "random_payload"}],
            attacks=["mean_colour", {"name": "lucky", **limit}],
            latency={"samples": 1, "warmup": 1, "turn_taking": False},
        )

    limited, whole = run("limited", limit=1, slow=True), run("whole")
    by_rule = {
        record.cell["coalition"]["c"]: whole.values(record)
        for record in whole.of("random_payload", "privacy", "mean_colour")
    }
    for (few, many), one, other in zip(
        compare(limited, whole, images=None), limited.records, whole.records, strict=True
    ):
        first = sorted(set(many["image"]))[:1]
        is_limited = one.cell.get("attack", {}).get("name") == "lucky"
        assert is_limited == (one.cell_id != other.cell_id)
        expected = many
        if is_limited:
            # The fast attack learns most from them, by one of the distances.
            scouted = by_rule[one.cell["coalition"]["c"]]
            scouted = scouted[scouted["image"].isin(first) & scouted["metric"].str.startswith("leakage[")]
            most = scouted.loc[scouted.groupby("metric")["value"].idxmax(), "servers"]
            chosen = many["image"].isin(first) & many["servers"].isin(set(most))
            expected = many[chosen].reset_index(drop=True)
        pd.testing.assert_frame_equal(few, expected)
        if is_limited:
            assert "blind_advantage[RMSE]" in set(few["metric"])
            assert {metric.n for metric in one.metrics} == {1}
    table = pd.read_csv(limited.directory / "tables" / "combined.csv")
    assert table["leakage[RMSE]_c1_m3_attack"].tolist() == ["mean_colour"]

"""Whether two runs put the defenses in the same order, against coefficients worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.cli import main
from pedbench.report.numbers.ranks import Agreement, agreements
from pedbench.report.tables.comparisons import agreement_table


def frame(rows: list[tuple[str, str, float | None, float | None]], rule: str = "c1_m3") -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "defense": name,
                "parameters": params,
                "utility_value": utility,
                f"leakage[RMSE]_{rule}_value": leakage,
                "wall_p50_value": 1.0,
                "bytes_up_value": None,
            }
            for name, params, utility, leakage in rows
        ]
    )


def test_rank_correlations_are_those_of_the_defenses_in_common() -> None:
    first = frame(
        [
            ("a", "{}", 0.9, 0.1),
            ("b", "{}", 0.8, 0.2),
            ("c", "{}", 0.7, 0.3),
            ("d(weights=fine-tuned)", '{"servers": 3, "weights": "fine-tuned"}', 0.6, 0.4),
            ("only here", "{}", 0.1, 0.9),
        ]
    )
    second = frame(
        [
            ("d(weights=reordered)", '{"servers": 3, "weights": "reordered"}', 0.5, 0.35),
            ("a", "{}", 0.6, 0.1),
            ("b", "{}", 0.4, 0.3),
            ("c", "{}", 0.5, 0.2),
        ],
        rule="c1_m1",
    )
    found = {each.measure: each for each in agreements(first, second)}
    assert list(found) == ["utility", "leakage[RMSE], c=1", "wall time", "bytes up"]
    # Ranks 1 2 3 against 1 3 2: 1 - 6 (0 + 1 + 1) / (3 (9 - 1)), and (2 - 1) / 3 pairs.
    utility = found["utility"]
    assert list(utility.values["defense"]) == ["a", "b", "c"]
    assert utility.spearman == pytest.approx(0.5)
    assert utility.kendall == pytest.approx(1 / 3)
    # What servers get does not depend on their weights: 1 2 3 4 against 1 3 2 4.
    leakage = found["leakage[RMSE], c=1"]
    assert list(leakage.values["defense"]) == ["a", "b", "c", "d(weights=fine-tuned)"]
    assert leakage.spearman == pytest.approx(0.8)
    assert leakage.kendall == pytest.approx(4 / 6)
    assert found["wall time"].spearman is None
    assert len(found["bytes up"].values) == 0
    told = [line.replace(" ", "") for line in agreement_table(list(found.values())).markdown().splitlines()]
    assert "|leakage[RMSE],c=1|4|0.80|0.67|" in told


def test_ranks_are_json_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"defense": name, "first": place, "second": 3 - place} for place, name in enumerate("abc")]
    measures = [
        Agreement(measure=name, values=pd.DataFrame(rows[:count]))
        for name, count in (("utility", 3), ("bytes", 2))
    ]
    monkeypatch.setattr("pedbench.results.run.load", lambda path: path)
    monkeypatch.setattr("pedbench.report.numbers.combined.combined", lambda run: run)
    monkeypatch.setattr("pedbench.report.numbers.ranks.agreements", lambda *_: measures)
    with pytest.raises(SystemExit) as left:
        main(["compare", "--ranks", "--json", "one", "two"])
    utility, up = json.loads(capsys.readouterr().out)["measures"]
    assert left.value.code == 0
    assert utility.pop("kendall") == pytest.approx(-1.0)
    assert utility.pop("spearman") == pytest.approx(-1.0)
    assert utility == {"measure": "utility", "defenses": rows}
    assert (up["spearman"], up["kendall"]) == (None, None)


@pytest.mark.slow
def test_a_run_agrees_with_itself(small_run: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["compare", "--ranks", str(small_run.directory), str(small_run.directory)])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "first run: suite small, model mini, 4 pictures of scenes; few pictures" in said
    assert "1.00" in said
    with pytest.raises(SystemExit) as left:
        main(["compare", "--ranks", str(tmp_path), str(tmp_path)])
    assert left.value.code == 2

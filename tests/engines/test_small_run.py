"""A complete run: its records, values, jobs and controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedbench.adversary.isolation.pool import AttackPool
from pedbench.registry import Registry
from pedbench.validity.flags import UNCONFINED


def test_everything_is_measured(small_run: Any) -> None:
    assert {record.status for record in small_run.records} == {"ok"}
    kinds = {(r.cell["kind"], r.cell["defense"]["name"]) for r in small_run.records}
    assert len(kinds) == 3 * 4
    images = small_run.values(small_run.of("on_device", "utility")[0])["image"].unique()
    assert len(images) == 4
    for record in small_run.records:
        assert set(small_run.values(record)["image"]) == set(images)
        assert record.provenance["run_id"] == small_run.directory.name
    assert "few pictures" in small_run.of("on_device", "utility")[0].flags
    assert "reference" in small_run.of("on_device", "utility")[0].flags
    assert small_run.of("on_device", "latency")[0].flags == ("few samples",)


def test_each_job_leaves_its_time(small_run: Any) -> None:
    times = pd.read_csv(small_run.directory / "jobs.csv")
    assert list(times.query("part == 'pictures'")["pictures"]) == [4] * 4
    assert (times["opening"] > 0).sum() == 1
    assert (times["seconds"] > 0).all()


def test_records_say_who_attacked_and_how_long_it_took(small_run: Any) -> None:
    import json

    from pedbench.adversary.prior import DESCRIPTION, FOLDER

    prior = json.loads((FOLDER / DESCRIPTION).read_text())
    known = f"{len(prior['pictures'])} training pictures, mean colour of {prior['sample']}"
    for record in small_run.records:
        assert record.defaults.keys() == record.cell.keys() & {"defense", "attack", "read_out", "probe"}
        if "attack" in record.cell:
            assert record.attacker == {
                "floor": True,
                "family": "floor",
                "needs": record.attacker["needs"],
                "knowledge": known,
                "proof": None,
            }
            assert "nothing" in record.attacker["needs"]
            assert 0 < record.timing["one guess"] < 60
        else:
            assert record.attacker == {}
            assert "one guess" not in record.timing
    table = pd.read_csv(small_run.directory / "tables" / "attackers.csv")
    assert table["attack"].tolist() == ["mean_colour", "random_image"]
    assert (table["seconds"] > 0).all()
    assert table["proven"].all()


@pytest.mark.slow
def test_records_of_attacks_say_what_confined_these(small_run: Any) -> None:
    with AttackPool([spec := Registry().spec("attacks", "mean_colour", {})]) as pool:
        pool.load(spec)
    for record in small_run.records:
        assert record.provenance.get("confinement") == (pool.force if "attack" in record.cell else None)
        assert (UNCONFINED in record.flags) == ("attack" in record.cell and not pool.enforced)
    parts = ", ".join(f"`{means} {str(in_force).lower()}`" for means, in_force in pool.force.items())
    assert f"confinement: {parts}" in (small_run.directory / "report.md").read_text()


def test_what_is_visible_is_what_was_sent(small_run: Any) -> None:
    def shares(defense: str) -> list[float]:
        return [
            max(small_run.values(record).query("metric == 'visible share'")["value"])
            for record in small_run.of(defense, attack="")
        ]

    assert shares("on_device") == [0, 0]
    assert shares("full_offload") == [1, 1]
    one, together = shares("ped_sam")
    assert 1 / 3 <= one < 0.5
    assert together == 1
    assert max(shares("random_payload")) < 1e-3


def test_secrets_are_exposed_as_far_as_their_windows(small_run: Any) -> None:
    from pedbench.models.sam.architectures import SAM_MINI
    from pedbench.offload.passes.assignment import assign
    from pedbench.plugins.datasets.scenes import Scenes

    expected: dict[tuple[str, int], float] = {}
    dataset = Scenes(count=8)
    for sample in (dataset[index] for index in range(4)):
        height, width = sample.image.shape[:2]
        windows = SAM_MINI.grid.active((height, width))
        owners = assign("dispersed", windows, 3, np.random.default_rng(0))
        for number, secret in enumerate(sample.secrets):
            left, top, w, h = secret.box
            pixels = [
                (row // 64, column // 64)
                for row in range(int(top), min(height, int(np.ceil(top + h))))
                for column in range(int(left), min(width, int(np.ceil(left + w))))
            ]
            exposed = max(sum(pixel in part for pixel in pixels) for part in owners.values())
            expected[sample.id, number] = exposed / len(pixels)
    assert len(expected) > 6
    one, together = (
        small_run.values(record).query("metric == 'secret exposure'")
        for record in small_run.of("ped_sam", attack="")
    )
    found = dict(zip(zip(one["image"], one["annotation"], strict=True), one["value"], strict=True))
    assert found == pytest.approx(expected)
    assert set(together["value"]) == {1}
    assert set(one["tag"]) <= {"text", "face"}
    nothing = small_run.values(small_run.of("on_device", attack="")[0])
    assert set(nothing.query("metric == 'secret exposure'")["value"]) == {0}


def test_controls_hold(small_run: Any) -> None:
    from pedbench.results.run import load
    from pedbench.validity.controls import controls

    found = {control.name: control for control in controls(load(small_run.directory))}
    assert set(found) == {"nothing sent", "whole picture", "decoy"}
    assert found["nothing sent"].verdict == "holds"
    assert found["whole picture"].verdict == "holds"
    assert found["decoy"].verdict == "holds", found["decoy"].detail
    report = (small_run.directory / "report.md").read_text()
    assert report.index("## Controls") < report.index("## What was measured")
    assert "nothing sent, `on_device`: **holds**" in report
    # These are not soundness flags of a number.
    assert "control: " not in report


def test_an_attack_that_ignores_its_view_gains_exactly_nothing_from_a_decoy(small_run: Any) -> None:
    for record in small_run.of("random_payload", attack="random_image"):
        hidden = small_run.values(record).query("region == 'hidden'")
        values = hidden.set_index(["image", "servers", "metric"])["value"].unstack()
        for column in ("RMSE", "SSIM"):
            seeing, blind = values[f"advantage[{column}]"], values[f"blind_advantage[{column}]"]
            assert np.array_equal(seeing, blind)

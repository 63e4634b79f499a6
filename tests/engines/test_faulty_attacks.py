"""Attacks and metrics that fail: the failure is reported, and all other cells are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.outcomes import RMSE, outcome, scenes


@pytest.mark.slow
def test_attacks_fail_alone(run_small: Any, tmp_path: Path) -> None:
    attacks = [
        "mean_colour",
        {"name": "refuses_one", "params": {"fewer": 10**9}},
        "wrong_shape",
        "token_reader",
    ]
    plugins = ["refuses_one", "wrong_shape", "token_reader"]
    done = run_small(
        tmp_path,
        plugins,
        attacks=attacks,
        metrics=RMSE,
        defenses=[{"name": "on_device"}, {"name": "ped_sam"}],
    )
    refused = done.of("ped_sam", attack="refuses_one")
    assert outcome(refused) == {"failed"}
    assert "ValueError: I do not like this one" in refused[0].reason
    small = done.of("ped_sam", attack="wrong_shape")
    assert outcome(small) == {"failed"}
    assert "found float32 of shape (8, 8, 3)" in small[0].reason
    tokens = done.of("ped_sam", attack="token_reader")
    assert outcome(tokens) == {"skipped"}
    assert tokens[0].reason == "token_reader needs tokens, of which nothing was received"
    # The attack needs pixels, and no server receives any from on_device.
    assert outcome(done.of("on_device", attack="refuses_one")) == {"skipped"}
    for name in ("on_device", "ped_sam"):
        for kind, attack in (("utility", None), ("latency", None), ("", ""), ("", "mean_colour")):
            assert outcome(done.of(name, kind, attack)) == {"ok"}, (name, kind, attack)


@pytest.mark.long
def test_an_endless_attack_fails_alone(run_small: Any, tmp_path: Path) -> None:
    done = run_small(
        tmp_path,
        ["endless"],
        attacks=["mean_colour", "endless"],
        metrics=RMSE,
        defenses=[{"name": "full_offload"}, {"name": "ped_sam"}],
        deadline=5,
    )
    for name in ("full_offload", "ped_sam"):
        endless = done.of(name, attack="endless")
        assert outcome(endless) == {"failed"}
        assert {record.reason for record in endless} == {
            "attack endless: AttackOverdue: no answer within 5 s"
        }
        assert outcome(done.of(name, attack="mean_colour")) == {"ok"}


@pytest.mark.slow
def test_a_broken_floor_fails_all_cells_relative_to_it(run_small: Any, tmp_path: Path) -> None:
    done = run_small(
        tmp_path,
        ["broken_floor"],
        attacks=["mean_colour", "broken_floor"],
        metrics=RMSE,
        defenses=[{"name": "on_device"}, {"name": "ped_sam"}],
    )
    assert outcome(done.of("on_device")) == {"ok"}
    assert outcome(done.of("ped_sam", attack="broken_floor")) == {"failed"}
    related = done.of("ped_sam", attack="mean_colour")
    assert outcome(related) == {"failed"}
    assert "a floor, to which leakage and advantage relate, failed" in related[0].reason
    assert outcome(done.of("ped_sam", attack="")) == {"ok"}


@pytest.mark.slow
def test_a_faulty_attack_fails_alone_and_the_controls_hold(run_small: Any, tmp_path: Path) -> None:
    from pedbench.results.run import load
    from pedbench.validity.controls import controls

    clumsy = {"name": "clumsy", "sweep": {"fault": ["guess", "batches"]}}
    done = run_small(
        tmp_path,
        ["clumsy"],
        attacks=["mean_colour", clumsy],
        metrics=RMSE,
        defenses=[{"name": "on_device"}, {"name": "full_offload"}],
        dataset=scenes(1),
    )
    for name in ("on_device", "full_offload"):
        failed = done.of(name, attack="clumsy")
        assert outcome(failed) == {"failed"}
        assert all(
            "AttributeError: 'View' object has no attribute 'picture' (clumsy.py:30)" in r.reason
            or "AttributeError: 'Clumsy' object has no attribute 'devices' (clumsy.py:27)" in r.reason
            for r in failed
        )
        assert outcome(done.of(name, attack="mean_colour")) == {"ok"}
    assert {control.verdict for control in controls(load(done.directory))} == {"holds"}


@pytest.mark.slow
@pytest.mark.parametrize("raises", [False, True])
def test_a_broken_metric_does_not_end_the_run(run_small: Any, tmp_path: Path, raises: bool) -> None:
    done = run_small(
        tmp_path,
        ["moody", "black"],
        attacks=["mean_colour", "black"],
        metrics=[*RMSE, {"name": "moody", "params": {"raises": raises}}],
        defenses=[{"name": "on_device"}],
    )
    black, colour = (done.of("on_device", attack=name) for name in ("black", "mean_colour"))
    assert outcome(black) == {"failed" if raises else "invalid"}
    assert outcome(colour) == ({"failed"} if raises else {"ok"})
    assert ("metric moody" if raises else "MAE, hidden is nan") in black[0].reason
    assert outcome(done.of("on_device", attack="")) == {"ok"}
    assert outcome(done.of("on_device", "utility")) == {"ok"}

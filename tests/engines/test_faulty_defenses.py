"""Defenses that cheat or fail: their cells are invalid or failed, and all others are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.outcomes import counted, outcome, scenes

CHEATS = {
    "whole_by_the_harness": ("invalid", "the defense may give"),
    "whole_as_a_payload": ("invalid", "the defense may give"),
    "in_low_bits": ("invalid", "other pixels than the frame's"),
    "permuted": ("invalid", "other pixels than the frame's"),
    "in_metadata": ("ok", ""),
    "without_a_way_to_pixels": ("invalid", "the defense may give"),
}


@pytest.mark.slow
def test_cheats_are_detected(run_small: Any, tmp_path: Path) -> None:
    defenses = [{"name": "cheat", "params": {"how": cheat}} for cheat in CHEATS]
    done = run_small(
        tmp_path, ["cheat", "vandal"], defenses=[*defenses, {"name": "vandal"}], dataset=scenes(1)
    )
    for cheat, (status, reason) in CHEATS.items():
        cells = [
            r
            for r in done.of("cheat")
            if r.cell["defense"]["params"]["how"] == cheat and r.cell["kind"] == "privacy"
        ]
        assert outcome(cells) == {status}, (cheat, [record.reason for record in cells])
        for record in cells:
            assert reason in record.reason
            if status == "ok":
                assert "unexplained bytes" in record.flags
                assert_all_is_lost(done, record)
    assert outcome(done.of("vandal")) == {"failed"}
    assert all("read-only" in record.reason for record in done.of("vandal"))


def assert_all_is_lost(done: Any, record: Any) -> None:
    values = done.values(record)
    for metric in ("visible share", "leakage[RMSE]", "leakage[SSIM]"):
        # The worst coalition counts: other servers may have received nothing.
        found = values[values["metric"] == metric].groupby("image")["value"].max()
        assert (found == 1).all()
    assert len(values)


@pytest.mark.slow
def test_messages_that_bypass_the_ledger_make_all_cells_invalid(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedbench.errors import AuditError

    def lose(number: int, servers: Any) -> None:
        if number == 2:
            raise AuditError("the edge sent messages that no server has")

    counted(monkeypatch, lose)
    done = run_small(tmp_path, defenses=[{"name": "ped_sam"}, {"name": "on_device"}], dataset=scenes(1))
    assert outcome(done.of("ped_sam")) == {"invalid"}
    assert outcome(done.of("on_device")) == {"ok"}


@pytest.mark.slow
def test_a_defense_may_fail_in_any_way(run_small: Any, tmp_path: Path) -> None:
    ways = {
        "warm-up": "warming up: KeyError: 'no such window' (stumbles.py:36)",
        "prepare": "warming up: FileNotFoundError: no such weights (stumbles.py:32)",
        "nothing": "AttributeError",
        "none": "`embed` of stumbles returned NoneType: return the Embedding",
        "beyond": "there is no server 1: `servers` of the defense is 0, which are counted from 0",
        "nan": "the embedding has values that are not finite",
    }
    defenses = [{"name": "stumbles", "params": {"how": way}} for way in ways]
    done = run_small(tmp_path, ["stumbles"], defenses=[*defenses, {"name": "on_device"}], dataset=scenes(1))
    by_way = {
        way: [r for r in done.of("stumbles") if r.cell["defense"]["params"]["how"] == way] for way in ways
    }
    for way in ("warm-up", "prepare"):
        assert {(record.status, record.reason) for record in by_way[way]} == {("failed", ways[way])}
    assert all(ways[way] in record.reason for way in ("none", "beyond") for record in by_way[way])
    utility = {way: next(r for r in by_way[way] if r.cell["kind"] == "utility") for way in ways}
    assert (utility["nan"].status, utility["nothing"].status) == ("invalid", "failed")
    assert ways["nan"] in utility["nan"].reason
    assert outcome(done.of("on_device")) == {"ok"}
    from pedbench.results.run import load
    from pedbench.validity.controls import controls

    verdicts = {control.defense: control.verdict for control in controls(load(done.directory))}
    assert verdicts["on_device"] == "holds"
    assert verdicts["stumbles(how=warm-up)"] == "fails"

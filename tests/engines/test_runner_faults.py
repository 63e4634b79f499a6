"""Faults in a run: they are reported, all other cells are finished, and a second run completes the missing cells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.results.summary import MOMENTS

ROOT = Path(__file__).parents[2]
RMSE = ["root_mean_square_error"]


def outcome(records: Sequence[Any]) -> set[str]:
    return {record.status for record in records}


def counted(monkeypatch: pytest.MonkeyPatch, before: Callable[[int, Any], None]) -> list[str]:
    """List the names of defenses in the order of their passes; `before` gets number and servers of each pass."""
    from pedbench.measure import bench

    real: Any = vars(bench)["run_pass"]
    passes: list[str] = []

    def run_pass(defense: Any, frame: Any, servers: Any, *rest: Any, **more: Any) -> Any:
        passes.append(defense.name)
        before(len(passes), servers)
        return real(defense, frame, servers, *rest, **more)

    monkeypatch.setattr(bench, "run_pass", run_pass)
    return passes


@pytest.mark.long
def test_a_killed_server_fails_its_cells_and_a_second_run_completes_them(
    short_run: Any, run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defenses = [{"name": name} for name in ("on_device", "full_offload", "ped_sam", "random_payload")]
    pids: set[int] = set()

    def kill(number: int, servers: Any) -> None:
        pids.update(servers.pids())
        # Warm-up and two scenes of on_device and of full_offload; then ped_sam's warm-up and first scene.
        if number == 9:
            servers.kill(1)

    with monkeypatch.context() as patch:
        passes = counted(patch, kill)
        broken = run_small(tmp_path, defenses=defenses)
    assert passes[8] == "ped_sam"
    assert outcome(broken.of("ped_sam")) == {"failed"}
    assert all("ServerLost: " in record.reason for record in broken.of("ped_sam"))
    for name in ("on_device", "full_offload", "random_payload"):
        assert outcome(broken.of(name)) == {"ok"}
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not list((tmp_path / "values").glob(f"{broken.of('ped_sam')[0].cell_id}-*"))

    with monkeypatch.context() as patch:
        passes = counted(patch, lambda number, servers: None)
        whole = run_small(tmp_path, defenses=defenses)
    assert passes == ["ped_sam"] * 3
    assert outcome(whole.records) == {"ok"}
    for record, expected in zip(whole.records, short_run.records, strict=True):
        left, right = (
            frame[~frame["metric"].isin(["wall", "turn-taking", *MOMENTS])].reset_index(drop=True)
            for frame in (whole.values(record), short_run.values(expected))
        )
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    with monkeypatch.context() as patch:
        assert counted(patch, lambda number, servers: None) == []
        run_small(tmp_path, defenses=defenses)


@pytest.fixture
def stalling(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that makes server 1 stall at the n-th streaming of windows."""
    from pedbench.offload.passes import cloud as module

    real: Any = vars(module)["stream_windows"]
    streamed: list[int] = []

    def stall_at(number: int) -> None:
        def stream_windows(cloud: Any, *rest: Any, **more: Any) -> Any:
            streamed.append(number)
            if len(streamed) == number:
                os.kill(cloud.servers.pids()[1], signal.SIGSTOP)
            return real(cloud, *rest, **more)

        monkeypatch.setattr(module, "stream_windows", stream_windows)

    return stall_at


@pytest.mark.long
def test_a_server_that_stalls_over_one_link_fails_that_cell_alone(
    run_small: Any, tmp_path: Path, stalling: Callable[[int], None]
) -> None:
    # The third pass is the scene over gigabit, after the warm-up and the scene over loopback.
    stalling(3)
    latency = {"samples": 1, "warmup": 1, "turn_taking": True, "links": ["loopback", "gigabit", "wifi-6"]}
    done = run_small(
        tmp_path,
        defenses=[{"name": "ped_sam"}, {"name": "random_payload"}],
        dataset=scenes(1),
        latency=latency,
        servers={"deadline": 10.0},
    )
    by_link = {record.cell["link"]: record for record in done.of("ped_sam", "latency")}
    assert by_link["gigabit"].status == "failed"
    assert "over gigabit: ServerLost: server 1 did not answer encode_windows: " in by_link["gigabit"].reason
    others = [record for record in done.records if record.cell_id != by_link["gigabit"].cell_id]
    assert outcome(others) == {"ok"}, [record.reason for record in others]
    assert not any("degraded" in record.flags for record in others)


@pytest.mark.long
def test_the_edge_replaces_a_server_that_stalls(
    run_small: Any, short_run: Any, tmp_path: Path, stalling: Callable[[int], None]
) -> None:
    # The third pass is the second of two scenes, after the warm-up.
    stalling(3)
    done = run_small(
        tmp_path,
        defenses=[{"name": "ped_sam"}, {"name": "random_payload"}],
        servers={"deadline": 10.0, "on_lost": "edge"},
    )
    assert outcome(done.of("random_payload")) == {"ok"}
    assert not any("degraded" in record.flags for record in done.of("random_payload"))
    assert all("degraded" in record.flags for record in done.of("ped_sam"))
    (latency,) = done.of("ped_sam", "latency")
    assert latency.status == "skipped"
    assert "server 1 did not answer encode_windows: " in latency.reason
    expected = {record.cell_id: record for record in short_run.of("ped_sam")}
    for record in done.of("ped_sam"):
        if record.cell["kind"] != "latency":
            assert record.status == "ok"
            left, right = done.values(record), short_run.values(expected[record.cell_id])
            pd.testing.assert_frame_equal(left, right, check_exact=True)


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


CHEATS = {
    "whole_by_the_harness": ("invalid", "the defense may give"),
    "whole_as_a_payload": ("invalid", "the defense may give"),
    "in_low_bits": ("invalid", "other pixels than the frame's"),
    "permuted": ("invalid", "other pixels than the frame's"),
    "in_metadata": ("ok", ""),
    "without_a_way_to_pixels": ("invalid", "the defense may give"),
}


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


def scenes(limit: int) -> dict[str, Any]:
    return {"name": "scenes", "params": {"count": 8}, "limit": limit}


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


SUITE = """
name = "cut"
version = 1
seed = 0
model = "mini"
attacks = ["mean_colour", "random_image"]
metrics = ["root_mean_square_error"]
coalitions = [{ c = 1, m = 3 }]
dataset = { name = "scenes", params = { count = 8 }, limit = 4 }
utility = [{ protocol = "clicks", prompts = ["1"] }]
defenses = [{ name = "on_device" }, { name = "full_offload" }, { name = "ped_sam" }]
latency = { samples = 2, warmup = 1, turn_taking = true }
"""

KILLER = """if True:
    import os, signal, sys
    from pedbench.measure import bench
    real, passes = bench.run_pass, []
    def run_pass(defense, frame, servers, *rest, **more):
        passes.append(defense.name)
        if len(passes) == {number}:
            print("pids", *servers.pids(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(defense, frame, servers, *rest, **more)
    bench.run_pass = run_pass
    from pedbench.cli import main
    main(["run", {suite!r}, "--out", {out!r}])
"""


@pytest.mark.long
@pytest.mark.parametrize("number", [8, 14])
def test_a_killed_run_leaves_nothing_behind_and_is_completed(tmp_path: Path, number: int) -> None:
    from pedbench.results.records import read_plan, read_records
    from pedbench.results.values import read_values

    suite = tmp_path / "cut.toml"
    suite.write_text(SUITE)

    def call(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
        )

    killed = call(KILLER.format(number=number, suite=str(suite), out=str(tmp_path / "cut")))
    assert killed.returncode == -signal.SIGKILL
    for pid in killed.stdout.split("pids")[1].split():
        wait_for_end(int(pid))
    (directory,) = (tmp_path / "cut" / "runs").iterdir()
    # Leave partial files, as if the run had been killed while writing.
    with (directory / "records.jsonl").open("a") as stream:
        stream.write('{"schema": 1, "cell_id": "half')
    (directory / "values" / "half.1.partial").write_bytes(b"half")
    for out in ("a", "cut"):
        finished = call(KILLER.format(number=-1, suite=str(suite), out=str(tmp_path / out)))
        assert finished.returncode == 0, finished.stderr
    (undisturbed,) = (tmp_path / "a" / "runs").iterdir()
    plan = read_plan(directory)
    assert plan == read_plan(undisturbed)
    lines = (directory / "records.jsonl").read_text().splitlines()
    assert len(lines) == len(plan)
    assert not list((directory / "values").glob("*.partial"))
    found, expected = read_records(directory), read_records(undisturbed)
    for cell_id in plan:
        assert found[cell_id].status == "ok"
        assert found[cell_id].flags == expected[cell_id].flags
        left, right = (
            frame[~frame["metric"].isin(["wall", "turn-taking", *MOMENTS])].reset_index(drop=True)
            for frame in (read_values(directory, cell_id), read_values(undisturbed, cell_id))
        )
        pd.testing.assert_frame_equal(left, right, check_exact=True)
        counts = [len(read_values(run, cell_id)) for run in (directory, undisturbed)]
        assert counts[0] == counts[1]


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not a child of this one has ended."""
    import select

    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(20_000), f"process {pid} lives on"
    os.close(handle)

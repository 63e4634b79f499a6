"""A server that dies or stalls during a run: its cells fail or the edge takes over, and all others are measured."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.engines.comparison import without_times
from tests.engines.outcomes import counted, outcome, scenes


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
        left, right = map(without_times, (whole.values(record), short_run.values(expected)))
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

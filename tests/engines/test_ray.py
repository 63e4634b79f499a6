"""Runs with Ray workers give the records of a run in one process, even when workers or nodes are lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.engines.runner import UNTIMED
from pedbench.engines.unfinished import FOLDER, Shards
from tools.chaos.kills import descendants

pytest.importorskip("ray")
pytestmark = pytest.mark.long

ATTACKS = ["mean_colour", "random_image", {"name": "accumulate", "params": {"requests": 2}}]
DEFENSES = [
    {"name": "on_device"},
    {"name": "full_offload", "limit": 2},
    {"name": "ped_sam", "params": {"assignment": "random"}},
]
CHANGES: dict[str, Any] = {
    "dataset": {"name": "scenes", "params": {"count": 8}, "limit": 3},
    "attacks": ATTACKS,
    "defenses": DEFENSES,
    "seeds": 2,
    "exhibits": 1,
}


@pytest.fixture(autouse=True, scope="module")
def small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pedbench.engines.jobs.SHARD", 1)
        yield


@pytest.fixture(scope="module")
def local_run(run_small: Any, tmp_path_factory: pytest.TempPathFactory, small_shards: None) -> Any:
    """Run the suite in one process."""
    return run_small(tmp_path_factory.mktemp("local"), **CHANGES)


@pytest.fixture
def by_ray() -> Callable[..., Any]:
    """Return a function that makes the engine with two workers, on this machine or a cluster."""

    def engine(address: str | None = None) -> Any:
        from pedbench.engines.ray import Ray

        return Ray(address=address, workers=2)

    return engine


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Start two nodes with room for one worker each."""
    from ray.cluster_utils import Cluster

    room: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100_000_000}
    nodes: Any = Cluster(initialize_head=True, head_node_args={**room, "include_dashboard": False})
    try:
        nodes.add_node(**room)
        nodes.wait_for_nodes()
        yield nodes
    finally:
        nodes.shutdown()


def in_the_middle(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Call `happens` once, after the second finished job."""
    real, finished = Shards.absorb, []

    def absorb(shards: Shards, done: Any) -> None:
        real(shards, done)
        finished.append(done)
        if len(finished) == 2:
            happens()

    monkeypatch.setattr(Shards, "absorb", absorb)


def workers() -> list[int]:
    """Return the process ids of the workers."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::RayWorker"):
                found.append(pid)
        except OSError:
            continue
    return sorted(found)


def assert_equals_local(run: Any, local_run: Any) -> None:
    assert [record.cell_id for record in run.records] == [record.cell_id for record in local_run.records]
    for record, expected in zip(run.records, local_run.records, strict=True):
        if record.cell["kind"] == "latency":
            assert (record.status, record.reason) == ("skipped", UNTIMED)
            continue
        for name in ("cell", "status", "reason", "metrics", "flags", "attacker"):
            assert getattr(record, name) == getattr(expected, name)
        assert record.provenance["engine"] == "ray"
        pd.testing.assert_frame_equal(run.values(record), local_run.values(expected), check_exact=True)
    lines = (run.directory / "records.jsonl").read_text().splitlines()
    assert len(lines) == len(run.records)
    assert not (run.directory / FOLDER).exists()
    shown = [sorted(path.name for path in each.directory.rglob("exhibits/*/*")) for each in (run, local_run)]
    assert shown[0] == shown[1]
    assert shown[0]


def test_two_workers_give_the_same_records_and_a_local_run_times_them(
    run_small: Any, local_run: Any, by_ray: Callable[..., Any], tmp_path: Path
) -> None:
    assert_equals_local(run_small(tmp_path, engine=by_ray(), **CHANGES), local_run)
    timed = run_small(tmp_path, **CHANGES)
    assert {record.status for record in timed.records} == {"ok"}
    assert {r.provenance["engine"] for r in timed.records if r.cell["kind"] == "latency"} == {"local"}


def test_killed_workers_change_nothing(
    run_small: Any,
    local_run: Any,
    by_ray: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone: list[int] = []

    def kill() -> None:
        # Kill all workers: at least the one that has just finished a job gets the next.
        gone.extend(workers())
        for worker in gone:
            os.kill(worker, signal.SIGKILL)

    in_the_middle(monkeypatch, kill)
    done = run_small(tmp_path, engine=by_ray(), **CHANGES)
    assert gone
    assert "a worker was lost" in done.said
    assert_equals_local(done, local_run)


def test_a_cluster_that_loses_a_node_gives_the_same_records(
    run_small: Any,
    local_run: Any,
    by_ray: Callable[..., Any],
    cluster: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_equals_local(run_small(tmp_path / "whole", engine=by_ray(cluster.address), **CHANGES), local_run)
    (node,) = cluster.worker_nodes
    in_the_middle(monkeypatch, lambda: cluster.remove_node(node))
    done = run_small(tmp_path / "less", engine=by_ray(cluster.address), **CHANGES)
    assert_equals_local(done, local_run)


def test_a_shard_that_ends_every_worker_fails_alone(
    run_small: Any, local_run: Any, by_ray: Callable[..., Any], tmp_path: Path
) -> None:
    changes = CHANGES | {"defenses": [{"name": "poison", "limit": 1}, {"name": "on_device"}]}
    done = run_small(tmp_path, ["poison"], engine=by_ray(), **changes)
    assert {r.status for r in done.of("poison") if r.cell["kind"] != "latency"} == {"failed"}
    assert "3 workers were lost" in done.of("poison")[0].reason
    for record, expected in zip(done.of("on_device"), local_run.of("on_device"), strict=True):
        if record.cell["kind"] != "latency":
            assert (record.cell_id, record.metrics) == (expected.cell_id, expected.metrics)


def test_a_machine_with_other_plugins_is_refused(
    run_small: Any, by_ray: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from pedbench.engines import ray as module
    from pedbench.engines import ray_worker

    real = ray_worker.Settings
    monkeypatch.setattr(module, "Settings", lambda **settings: replace(real(**settings), cells=("other",)))
    with pytest.raises(ValueError, match="would measure something else"):
        run_small(tmp_path, engine=by_ray(), **CHANGES)

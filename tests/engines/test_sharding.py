"""What sharding gives, against what comes out by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pedbench.cli import main
from pedbench.engines.job_times import JobTime, read_times
from pedbench.engines.jobs import Job
from pedbench.engines.scaling_simulation import costs, makespan
from pedbench.host.stopwatch import Share

TIMES = [
    JobTime("near", "pictures", 8, 10.0, 1.0, 5.0),
    JobTime("near", "pictures", 4, 2.0, 0.0, 0.0),
    JobTime("far", "pictures", 8, 16.0, 2.0, 0.0),
    JobTime("far", "turns", 2, 30.0, 0.0, 0.0),
]
PROFILE = [Share("report", "", 3.0, 0.1), Share("passes", "", 20.0, 0.9)]
PLAN: Any = SimpleNamespace(
    defenses=[SimpleNamespace(defense=SimpleNamespace(label=label)) for label in ("near", "far", "farther")]
)


def job(defense: int, pictures: int) -> Job:
    return Job(
        defense=defense, number=0, part="pictures", images=tuple(range(pictures)), wanted=frozenset("a")
    )


# 5 to open; a second a picture and 1 to warm up near, two a picture and 2 far; 3 alone.
@pytest.mark.parametrize(
    ("workers", "seconds"), [(1, 3 + 5 + (1 + 8 + 4) + (2 + 16 + 16)), (2, 3 + 5 + (1 + 8) + (2 + 16))]
)
def test_each_job_goes_to_whoever_is_free_first(workers: int, seconds: float) -> None:
    jobs = [job(0, 8), job(0, 4), job(1, 8), job(1, 8)]
    assert makespan(PLAN, jobs, costs(TIMES, PROFILE), workers) == pytest.approx(seconds)


def test_what_was_not_measured_is_not_foretold() -> None:
    with pytest.raises(ValueError, match="no time was measured of: farther"):
        makespan(PLAN, [job(0, 1), job(2, 1)], costs(TIMES, PROFILE), 1)


def test_a_plan_tells_what_a_run_will_be(small_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    directory: Path = small_run.directory
    times = read_times(directory)
    assert [time.pictures for time in times if time.part == "pictures"] == [4] * 4
    assert sum(time.opening > 0 for time in times) == 1
    assert all(time.seconds > 0 for time in times)
    with pytest.raises(SystemExit) as left:
        main(["plan", str(directory / "suite.toml"), "--like", str(directory), "--gpus", "2"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert f"{len(small_run.records)} cells: 4 of utility, 8 of what is received, 16 of attacks" in told
    assert "4 shards by its jobs' times" in told
    assert "memory of the suite: at most" in told

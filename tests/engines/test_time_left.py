"""Time that a run still takes: right for a machine of another speed, for unknown defenses, and while jobs overlap."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pedbench.engines.jobs import Done, Job
from pedbench.engines.time_left import TimeLeft, seconds_per_picture


def jobs_of(seconds: dict[str, float], shards: int = 3) -> tuple[Any, list[Job]]:
    """A plan of defenses of three servers, and its jobs, eight pictures each."""
    defenses = [SimpleNamespace(defense=SimpleNamespace(label=label, servers=3)) for label in seconds]
    jobs = [
        Job(defense=place, number=number, part="pictures", images=tuple(range(8)), cell_ids=frozenset("c"))
        for place in range(len(defenses))
        for number in range(shards)
    ]
    return SimpleNamespace(defenses=defenses), jobs


class Time:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("slower", [0.5, 1.0, 7.0])
@pytest.mark.parametrize("unknown", ["", "c"])
def test_it_is_right_from_half_way_on(slower: float, unknown: str) -> None:
    took = {"a": 3.0, "b": 40.0, "c": 9.0, "d": 11.0, "e": 25.0}
    plan, jobs = jobs_of(took)
    clock = Time()
    left = TimeLeft(
        plan, jobs, {(each, "pictures"): took[each] / 8 for each in took if each != unknown}, clock
    )
    seconds = [slower * took[plan.defenses[job.defense].defense.label] for job in jobs]
    # Opening the first worker is no sign of speed.
    opening, whole = 60.0, sum(seconds)
    clock.now = opening
    for job, duration in zip(jobs, seconds, strict=True):
        clock.now += duration
        estimate = left.after(
            Done(job=job, cell_ids=job.cell_ids, opening=opening if job is jobs[0] else 0.0)
        )
        true = whole - (clock.now - opening)
        if true <= whole / 2:
            assert estimate == pytest.approx(true, rel=0.3, abs=1e-6)


def test_jobs_that_overlap_and_jobs_not_worth_doing_count_as_they_are() -> None:
    plan, jobs = jobs_of({"a": 1.0}, shards=6)
    clock = Time()
    left = TimeLeft(plan, jobs, {}, clock)
    assert left.after(Done(job=jobs[0])) is None
    clock.now = 10
    left.after(Done(job=jobs[1], cell_ids=frozenset("c")))
    # Two workers: both jobs end at the same time.
    assert left.after(Done(job=jobs[2], cell_ids=frozenset("c"))) == pytest.approx(15)


def test_runs_of_this_machine_say_more_than_what_is_shipped(tmp_path: Path) -> None:
    shipped = seconds_per_picture([], "mini")
    assert shipped["ped_sam(servers=25)", "pictures"] > 2 * shipped["ped_sam", "pictures"]
    assert seconds_per_picture([], "another") == {}
    text = (
        "defense,part,pictures,seconds,warming,opening\nped_sam,pictures,8,14,2,9\nped_sam,pictures,4,2,0,0\n"
    )
    (tmp_path / "jobs.csv").write_text(text)
    found = seconds_per_picture([tmp_path, tmp_path / "none"], "mini")
    assert found["ped_sam", "pictures"] == pytest.approx(18 / 12)
    assert found["ped_sam(servers=25)", "pictures"] == shipped["ped_sam(servers=25)", "pictures"]

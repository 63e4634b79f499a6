"""Time that a run still takes: right for a machine of another speed, for unknown defenses, and while jobs overlap."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pedbench.engines.jobs import Done, Job
from pedbench.engines.time_left import COLUMNS, FILE, TimeLeft, seconds_per_picture
from pedbench.results.run_directory import SUITE
from pedbench.suites.files import load_suite, to_toml
from pedbench.suites.quick import quicker
from pedbench.suites.schema import Suite


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


def recorded(run: str) -> list[dict[str, str]]:
    """Return the jobs of a real run with the shipped suites, in their order."""
    with Path(__file__).with_name("recorded_jobs.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["run"] == run]


def noted(directory: Path, suite: Suite, rows: list[dict[str, str]]) -> Path:
    """Write the jobs of a run of a suite into a directory, and return it."""
    (directory / SUITE).write_text(to_toml(suite), encoding="utf-8")
    with (directory / FILE).open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return directory


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


@pytest.mark.parametrize(
    ("run", "earlier"),
    [
        ("mini", "mini while others work"),
        ("mini while others work", "mini"),
        ("mini --quick --limit 4", None),
        ("frontier --quick --limit 4", None),
    ],
)
def test_it_is_right_for_recorded_runs(run: str, earlier: str | None, tmp_path: Path) -> None:
    rows, suite = recorded(run), quicker(load_suite(run.split()[0]))
    known = seconds_per_picture([noted(tmp_path, suite, recorded(earlier))] if earlier else [], suite)
    assert {(row["defense"], row["part"]) for row in rows} <= known.keys()
    labels = list(dict.fromkeys(row["defense"] for row in rows))
    plan: Any = SimpleNamespace(
        defenses=[SimpleNamespace(defense=SimpleNamespace(label=label, servers=1)) for label in labels]
    )
    jobs = [
        Job(
            defense=labels.index(row["defense"]),
            number=number,
            part="pictures" if row["part"] == "pictures" else "turns",
            images=tuple(range(int(row["pictures"]))),
            cell_ids=frozenset("c"),
        )
        for number, row in enumerate(rows)
    ]
    clock = Time()
    left = TimeLeft(plan, jobs, known, clock)
    seconds = [float(row["seconds"]) + float(row["warming"]) for row in rows]
    judged = 0
    for number, (job, row) in enumerate(zip(jobs, rows, strict=True)):
        opening = float(row["opening"])
        clock.now += seconds[number] + opening
        estimate = left.after(Done(job=job, cell_ids=job.cell_ids, opening=opening))
        if (true := sum(seconds[number + 1 :])) <= sum(seconds) / 2:
            judged += 1
            # People see whole seconds.
            assert estimate == pytest.approx(true, rel=0.3, abs=1.0), row
    assert judged > 4


def test_jobs_that_overlap_and_jobs_not_worth_doing_count_as_they_are() -> None:
    plan, jobs = jobs_of({"a": 1.0}, shards=6)
    clock = Time()
    left = TimeLeft(plan, jobs, {}, clock)
    assert left.after(Done(job=jobs[0])) is None
    clock.now = 10
    left.after(Done(job=jobs[1], cell_ids=frozenset("c")))
    # Two workers: both jobs end at the same time.
    assert left.after(Done(job=jobs[2], cell_ids=frozenset("c"))) == pytest.approx(15)


def test_earlier_runs_say_more_than_what_is_shipped(tmp_path: Path) -> None:
    suite = load_suite("mini")
    shipped = seconds_per_picture([], suite)
    assert shipped["ped_sam(servers=25)", "pictures"] > 2 * shipped["ped_sam", "pictures"]
    assert seconds_per_picture([], suite.model_copy(update={"name": "another"})) == {}
    one = {"defense": "ped_sam", "part": "pictures", "opening": "9"}
    rows = [one | {"pictures": "8", "seconds": "14", "warming": "2"}]
    rows += [one | {"pictures": "4", "seconds": "2", "warming": "0"}]
    runs = [noted(tmp_path, suite, rows), tmp_path / "none"]
    found = seconds_per_picture(runs, suite)
    assert found["ped_sam", "pictures"] == pytest.approx(18 / 12)
    assert found["ped_sam(servers=25)", "pictures"] == shipped["ped_sam(servers=25)", "pictures"]
    # Fewer attacks take another share of the time for each defense.
    quick = quicker(suite)
    assert seconds_per_picture(runs, quick) == seconds_per_picture([], quick) != shipped

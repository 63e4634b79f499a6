import itertools
from contextlib import suppress
from pathlib import Path

import pytest

from pedbench.host.stopwatch import Profile, Share, describe_profile, read_profile


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_second_belongs_to_the_innermost_stage(tmp_path: Path) -> None:
    clock = Clock()
    profile = Profile(clock)
    clock.now += 1
    with profile.stage("outer"):
        clock.now += 2
        with profile.stage("inner"), suppress(OSError), profile.stage("innermost"):
            clock.now += 4
            raise OSError
        clock.now += 8
        with profile.stage("inner"):
            clock.now += 16
    clock.now += 32
    expected = [
        Share("inner", "", 16, 16 / 63),
        Share("outer", "", 10, 10 / 63),
        Share("innermost", "", 4, 4 / 63),
        Share("elsewhere", "", 33, 33 / 63),
    ]
    assert profile.table() == expected
    profile.write(tmp_path)
    for read, written in zip(read_profile(tmp_path), expected, strict=True):
        assert read[:2] == written[:2]
        assert read[2:] == pytest.approx(written[2:], abs=1e-4)


def test_jobs_beside_each_other_share_the_time_of_their_stage() -> None:
    clock = Clock()
    profile = Profile(clock)
    with profile.stage("attacks", workers=2) as stage:
        stage.parts += [("blur", 6.0), ("guess", 2.0), ("blur", 4.0)]
        clock.now += 10
    with profile.stage("crowded", workers=2) as stage:
        stage.parts += [("slow", 30.0), ("fast", 10.0)]
        clock.now += 8
    found = {(row.stage, row.part): row.seconds for row in profile.table()}
    assert found == {
        ("attacks", "blur"): 5,
        ("attacks", "guess"): 1,
        ("attacks", ""): 4,
        ("crowded", "slow"): 6,
        ("crowded", "fast"): 2,
        ("crowded", ""): 0,
        ("elsewhere", ""): 0,
    }


def test_the_printed_table_adds_up() -> None:
    clock = Clock()
    profile = Profile(clock)
    for name, seconds in zip(("report", "attacks", "passes"), itertools.count(1), strict=False):
        with profile.stage(name, workers=1) as stage:
            clock.now += seconds
            if name == "attacks":
                stage.parts.append(("vitmae", 1.5))
    assert [line.split() for line in describe_profile(profile.table()).splitlines()] == [
        ["stage", "seconds", "share"],
        ["passes", "3.0", "50.0%"],
        ["attacks", "2.0", "33.3%"],
        ["vitmae", "1.5", "25.0%"],
        ["waiting,", "sending,", "loading", "0.5", "8.3%"],
        ["report", "1.0", "16.7%"],
        ["elsewhere", "0.0", "0.0%"],
        ["all", "6.0"],
    ]

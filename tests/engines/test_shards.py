"""A run that was killed continues with the shards that are missing, and repeats no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedbench.engines.jobs import Done, Job
from pedbench.engines.unfinished import FOLDER, Shards
from pedbench.measure.outcome import Outcome

DEFENSES = [{"name": name, "latency": False} for name in ("on_device", "ped_sam")]


class Killed(BaseException):
    """Stands in for SIGKILL: no `except Exception` catches it."""


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the names of defenses in the order of their passes."""
    from pedbench.measure import bench

    real: Any = vars(bench)["run_pass"]
    found: list[str] = []

    def run_pass(defense: Any, *rest: Any, **more: Any) -> Any:
        found.append(defense.name)
        return real(defense, *rest, **more)

    monkeypatch.setattr(bench, "run_pass", run_pass)
    monkeypatch.setattr("pedbench.engines.jobs.SHARD", 1)
    return found


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, name: str, time: int) -> Iterator[None]:
    """End a run at its `time`-th call of a method of `Shards`."""
    real: Callable[..., Any] = getattr(Shards, name)
    calls: list[str] = []

    def method(*arguments: Any) -> Any:
        calls.append(name)
        if len(calls) == time:
            raise Killed
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Shards, name, method)
        try:
            yield
        except Killed:
            return
    pytest.fail("the run was not killed")


def as_expected(run: Any, expected: Any) -> None:
    known = {record.cell_id: record for record in expected.records}
    for record in run.records:
        other = known[record.cell_id]
        for name in ("cell", "status", "reason", "metrics", "flags"):
            assert getattr(record, name) == getattr(other, name)
        pd.testing.assert_frame_equal(run.values(record), expected.values(other), check_exact=True)


# Values without their note; and a note just written.
@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("_note", ["ped_sam"] * 2),
        ("total", ["on_device", "ped_sam"]),
    ],
)
def test_finished_shards_are_not_done_again(
    run_small: Any,
    short_run: Any,
    tmp_path: Path,
    passes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    left: list[str],
) -> None:
    with killed_at(monkeypatch, name, 4 if name == "_note" else 2):
        run_small(tmp_path, defenses=DEFENSES)
    # Each defense warms up with one pass.
    assert passes == ["on_device"] * 3 + ["ped_sam"] * 3
    passes.clear()
    done = run_small(tmp_path, defenses=DEFENSES)
    assert passes == (left if name == "_note" else [])
    as_expected(done, short_run)
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.long
def test_changed_code_does_not_continue_old_shards(
    run_small: Any, tmp_path: Path, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_at(monkeypatch, "absorb", 4):
        run_small(tmp_path, defenses=DEFENSES)
    passes.clear()
    monkeypatch.setattr("pedbench.engines.runner.fingerprint", lambda plan: "other")
    run_small(tmp_path, defenses=DEFENSES)
    assert passes == ["ped_sam"] * 3
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.long
def test_times_of_a_cell_come_from_one_run(
    run_small: Any, tmp_path: Path, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"defenses": [{"name": "ped_sam"}], "attacks": ["mean_colour"]}
    with killed_at(monkeypatch, "absorb", 2):
        run_small(tmp_path, **changes)
    passes.clear()
    attacks: list[int] = []
    monkeypatch.setattr(
        "pedbench.measure.attacks._score", lambda *arguments: attacks.append(len(arguments[2]))
    )
    run_small(tmp_path, **changes)
    assert passes == ["ped_sam"] * 3
    assert attacks == [1]


def test_the_order_of_shards_does_not_matter(tmp_path: Path) -> None:
    class Defense:
        def cells(self) -> list[Any]:
            return []

    def job(number: int) -> Job:
        return Job(defense=0, number=number, part="pictures", images=(number,), cell_ids=frozenset("ab"))

    def done(number: int) -> Done:
        outcome = Outcome()
        if number:
            outcome.problems["a"] = ("failed", f"shard {number}")
            outcome.flags["a"].add(f"flag {number}")
        outcome.flags["b"].add("always")
        outcome.distrust["b"] = f"shard {number}"
        outcome.add_uploads("b", {"host": 2} if number else {"host": 1, "other": 5})
        outcome.confinement["b"] = {"landlock": True, "seccomp": number != 1}
        return Done(job=job(number), cell_ids=frozenset("ab"), outcome=outcome)

    totals = []
    for order in ((0, 1, 2), (2, 1, 0)):
        shards = Shards(Defense(), tmp_path, str(order))  # type: ignore[arg-type]
        for number in order:
            shards.absorb(done(number))
        totals.append((shards.total().problems, dict(shards.total().flags)))
        assert shards.total().distrust == {"b": "shard 0"}
        assert shards.total().uploads == {"b": {"host": 5, "other": 5}}
        assert shards.total().confinement == {"b": {"landlock": True, "seccomp": False}}
    assert totals[0] == totals[1] == ({"a": ("failed", "shard 1")}, {"a": {"flag 1"}, "b": {"always"}})

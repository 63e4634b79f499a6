"""Attack processes: content they withhold, access they refuse, failures they survive."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from pedbench.adversary.isolation.answers import AttackFailure, Guesses
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.adversary.prior import load_prior
from pedbench.adversary.view_bytes import view_from_bytes
from tests.adversary.isolation_bench import TRUTH, Bench


@pytest.fixture(name="bench", scope="module")
def _bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("isolation")
        patched.setenv("PEDBENCH_DATA", str(folder / "data"))
        patched.setenv("COCO", str(folder / "data"))
        patched.setattr(sys, "argv", [*sys.argv, "--data", str(folder / "data")])
        bench = Bench(folder)
        with bench.pool:
            yield bench


@pytest.mark.slow
def test_guess_comes_back_as_it_was_made(bench: Bench) -> None:
    guess = bench.ask("honest", seed=4)
    assert guess[0, 0] == pytest.approx(np.random.default_rng(4).random(3))
    assert (guess[1:] == np.float32(0.25)).all()
    prior = load_prior(bench.prior)
    view = view_from_bytes(bench.view, prior)
    assert np.array_equal(view.canvas()[0][:8, :8], TRUTH[:8, :8])
    assert bench.ask("mean_colour")[20, 20] == pytest.approx(TRUTH[:8, :8].mean(axis=(0, 1)), abs=1e-6)


@pytest.mark.parametrize(
    "way",
    ["read", "read_through_link", "list_folder", "ask_parent", "look_up_scenes", "look_up_datasets",
     "load_generator", "connect", "run_program", "kill_parent"],
)  # fmt: skip
def test_reaching_for_the_truth_is_refused(bench: Bench, way: str) -> None:
    with pytest.raises(AttackFailure, match="an attack may not") as caught:
        bench.ask(way)
    assert caught.value.kind == "TruthAccessError"
    assert ("in its property `files`" in str(caught.value)) == ("may not open" in str(caught.value))


def test_kernel_refuses_readers_that_python_does_not_see(bench: Bench) -> None:
    bench.ask("honest")
    if not bench.pool.force["landlock"]:
        pytest.skip("this kernel has no Landlock")
    with pytest.raises(AttackFailure, match=r"PermissionError: .*Permission denied.*in its property `files`"):
        bench.ask("read_around_python")


def test_process_knows_nothing_of_its_parent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = type(sys)("tests_shared_truth")
    shared.picture = TRUTH  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_shared_truth", shared)
    with pytest.raises(AttackFailure, match="ModuleNotFoundError"):
        bench.ask("global_state")
    assert (bench.ask("environment") == 0).all()


def test_nothing_is_remembered_from_guess_to_guess(bench: Bench) -> None:
    assert (bench.ask("remember") == 0).all()
    assert (bench.ask("remember") == 0).all()


def test_same_bytes_give_the_same_guess_whatever_the_truth(bench: Bench) -> None:
    first = bench.ask("honest", seed=9).tobytes()
    np.save(bench.data / "truth.npy", 1 - TRUTH)
    assert bench.ask("honest", seed=9).tobytes() == first


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ("narrow", r"shape \(24, 31, 3\)"),
        ("doubles", "float64"),
        ("not_a_number", "3 values that are not finite"),
        ("bright", "to 1.5"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(bench: Bench, way: str, found: str) -> None:
    with pytest.raises(AttackFailure, match=rf"cheat: ValueError.*{found}"):
        bench.ask(way)


def test_errors_are_reported_with_their_traceback(bench: Bench) -> None:
    with pytest.raises(AttackFailure, match="ZeroDivisionError: nothing to divide by") as caught:
        bench.ask("fail")
    assert "in fail" in caught.value.trace
    with pytest.raises(AttackFailure, match="OSError: no weights here"):
        bench.ask("broken_prepare")


@pytest.mark.parametrize("way", ["leave", "die"])
def test_a_job_that_ends_fails_alone(bench: Bench, way: str) -> None:
    with pytest.raises(AttackFailure, match="ended without an answer") as caught:
        bench.ask(way)
    assert caught.value.kind == "AttackDied"
    assert bench.ask("honest").shape == (24, 32, 3)


@pytest.mark.slow
def test_killed_zygote_is_replaced(bench: Bench) -> None:
    bench.ask("honest")
    zygote = bench.pool._zygote()
    zygote.process.kill()
    zygote.process.wait()
    assert bench.ask("honest").shape == (24, 32, 3)
    assert bench.pool._zygote() is not zygote


@pytest.mark.slow
def test_pool_gives_what_one_process_gives(bench: Bench) -> None:
    spec = bench.specs["honest"]
    with AttackPool([spec, bench.specs["fail"]], workers=2, prior=bench.prior) as pool:
        jobs: list[Future[Guesses]] = [pool.submit(spec, [bench.view] * 2, [s, s + 1]) for s in range(6)]
        failing = pool.submit(bench.specs["fail"], [bench.view], [0])
        for seed, job in enumerate(jobs):
            first, second = job.result().pictures
            assert np.array_equal(first, bench.ask("honest", seed))
            assert np.array_equal(second, bench.ask("honest", seed + 1))
        assert isinstance(failing.exception(), AttackFailure)


def test_attacks_are_loaded_beforehand_and_what_cannot_be_is_told_by_a_guess(bench: Bench) -> None:
    broken, honest = bench.specs["broken_prepare"], bench.specs["honest"]
    with AttackPool([broken, honest], workers=2, prior=bench.prior) as pool:
        assert [job.exception() for job in pool.prepare()] == [None, None]
        failure = pool.submit(broken, [bench.view], [0]).exception()
        assert "no weights here" in str(failure)
        assert np.array_equal(
            pool.submit(honest, [bench.view], [3]).result().pictures[0], bench.ask("honest", 3)
        )


def test_closing_ends_a_guess_that_never_ends(bench: Bench) -> None:
    with AttackPool([bench.specs["hang"]], workers=1, prior=bench.prior) as pool:
        hanging, queued = (pool.submit(bench.specs["hang"], [bench.view], [0]) for _ in range(2))
    assert isinstance(hanging.exception(), AttackFailure)
    assert queued.cancelled()


@pytest.mark.slow
def test_an_attack_that_misses_its_deadline_is_ended_and_not_asked_again(bench: Bench) -> None:
    hang, honest = bench.specs["hang"], bench.specs["honest"]
    with AttackPool([hang, honest], workers=1, prior=bench.prior, deadline=3) as pool:
        began = time.monotonic()
        jobs = [pool.submit(spec, [bench.view], [0]) for spec in (hang, hang, honest)]
        failures = [job.exception() for job in jobs[:2]]
        assert np.array_equal(jobs[2].result().pictures[0], bench.ask("honest", 0))
        assert time.monotonic() - began > 3
    for failure in failures:
        assert isinstance(failure, AttackFailure)
        assert "AttackOverdue: no answer within 3 s" in str(failure)
    assert failures[0] is failures[1]


@pytest.mark.slow
def test_nothing_outlives_a_killed_harness(bench: Bench) -> None:
    script = (
        "import sys, threading, time; from pathlib import Path\n"
        "from pedbench.adversary.isolation.pool import AttackPool; from pedbench.registry import PluginSpec\n"
        "spec = PluginSpec.from_json(sys.argv[1]); pool = AttackPool([spec], prior=Path(sys.argv[2]))\n"
        "threading.Thread(target=pool.guess, args=(spec, [sys.stdin.buffer.read()], [0])).start()\n"
        "while not pool.force: time.sleep(0.01)\n"
        "(job,) = pool._running\n"
        "print(pool._zygote().process.pid, job.pid, flush=True)\n"
    )
    arguments = [bench.specs["hang"].to_json(), str(bench.prior)]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root, "TMPDIR": str(bench.data)},
    ) as harness:
        assert harness.stdin is not None
        assert harness.stdout is not None
        harness.stdin.write(bench.view)
        harness.stdin.close()
        handles = [os.pidfd_open(int(pid)) for pid in harness.stdout.readline().split()]
        harness.kill()
    assert len(handles) == 2
    for handle in handles:
        assert select.select([handle], [], [], 10)[0]
        os.close(handle)

"""Attack processes: content they withhold, access they refuse, failures they survive."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.adversary.isolation.answers import AttackFailure, Guesses
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.adversary.prior import load_prior, make_prior
from pedbench.adversary.view_bytes import view_from_bytes, view_to_bytes
from pedbench.errors import PluginError
from pedbench.host.home import home
from pedbench.plugins.datasets.scenes import Scenes
from pedbench.registry import PluginSpec, Registry
from pedbench.results.records import PLAN
from pedbench.types import Patch, Picture, View

CHEAT = '''
"""Tries to learn more than the view says."""
import json, os, socket, subprocess, sys
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from pedbench.base import Attack

remembered = []

@dataclass(kw_only=True)
class Cheat(Attack):
    """Tries to learn more than the view says."""

    name = "cheat"
    version = 1
    needs = frozenset({"nothing"})
    way: str
    target: str = ""

    def prepare(self, device):
        if self.way == "broken_prepare":
            raise OSError("no weights here")

    def reconstruct(self, view, rng):
        guess = np.full((*view.frame_size, 3), 0.25, np.float32)
        return getattr(self, self.way)(guess, view, rng)

    def honest(self, guess, view, rng):
        guess[0, 0] = rng.random(3)
        return guess

    def read(self, guess, view, rng):
        return np.load(self.target)

    def read_around_python(self, guess, view, rng):
        import ctypes
        library = ctypes.CDLL(None, use_errno=True)
        if library.open(self.target.encode(), 0) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return guess

    def read_through_link(self, guess, view, rng):
        return np.load("/proc/self/root" + self.target)

    def list_folder(self, guess, view, rng):
        return os.listdir(self.target)

    def ask_parent(self, guess, view, rng):
        return Path(f"/proc/{self.target}/environ").read_bytes()

    def look_up(self, guess, view, rng):
        return __import__(self.target)

    def load_generator(self, guess, view, rng):
        import importlib.util, pedbench
        file = Path(pedbench.__file__).parent / "scenes" / "geometry.py"
        module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("g", file))
        spec.loader.exec_module(module)
        return guess

    def connect(self, guess, view, rng):
        socket.create_connection(("127.0.0.1", int(self.target)), timeout=5)

    def run_program(self, guess, view, rng):
        return subprocess.run(["cat", self.target], capture_output=True)

    def kill_parent(self, guess, view, rng):
        os.kill(int(self.target), 0)

    def global_state(self, guess, view, rng):
        import tests_shared_truth
        return tests_shared_truth.picture

    def environment(self, guess, view, rng):
        command = Path("/proc/self/cmdline").read_text()
        known = json.dumps(dict(os.environ)) + str(sys.argv) + os.getcwd() + command
        guess[:] = float(self.target in known)
        return guess

    def remember(self, guess, view, rng):
        notes = Path("notes.txt")
        guess[:] = 1.0 if remembered or notes.exists() else 0.0
        remembered.append(view)
        notes.write_text("seen")
        return guess

    def narrow(self, guess, view, rng):
        return guess[:, 1:]

    def doubles(self, guess, view, rng):
        return guess.astype(np.float64)

    def not_a_number(self, guess, view, rng):
        guess[3, 4] = np.nan
        return guess

    def bright(self, guess, view, rng):
        return guess * 6

    def hang(self, guess, view, rng):
        import signal
        signal.pause()


    def fail(self, guess, view, rng):
        raise ZeroDivisionError("nothing to divide by")

    def leave(self, guess, view, rng):
        os._exit(0)

    def die(self, guess, view, rng):
        os.abort()
'''
TRUTH = np.random.default_rng(1).random((24, 32, 3)).astype(np.float32)


class Bench:
    """A process that can be asked to cheat in any of several ways, beside a folder with the truth."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        np.save(self.data / "truth.npy", TRUTH)
        plugin = folder / "cheat.py"
        plugin.write_text(CHEAT)
        greys = (np.full((8, 8, 3), level, np.float32) for level in (0.2, 0.6))
        prior = make_prior(greys, folder / "prior", source="greys", count=2)
        patch = Patch(picture=TRUTH[:8, :8], top=0, left=0, server=0)
        self.view = view_to_bytes(View(frame_size=(24, 32), patches=(patch,), prior=prior))
        registry = Registry([plugin])

        def cheat(way: str, target: object = "") -> PluginSpec:
            return registry.spec("attacks", "cheat", {"way": way, "target": str(target)})

        self.specs = {
            "honest": cheat("honest"),
            "read": cheat("read", self.data / "truth.npy"),
            "read_around_python": cheat("read_around_python", self.data / "truth.npy"),
            "read_through_link": cheat("read_through_link", self.data / "truth.npy"),
            "list_folder": cheat("list_folder", self.data),
            "ask_parent": cheat("ask_parent", os.getpid()),
            "look_up_scenes": cheat("look_up", "pedbench.scenes.painting.geometry"),
            "look_up_datasets": cheat("look_up", "pedbench.plugins.datasets.coco"),
            "load_generator": cheat("load_generator"),
            "connect": cheat("connect", 9),
            "run_program": cheat("run_program", self.data / "truth.npy"),
            "kill_parent": cheat("kill_parent", os.getpid()),
            "environment": cheat("environment", self.data),
            **{
                way: cheat(way)
                for way in (
                    "global_state",
                    "remember",
                    "narrow",
                    "doubles",
                    "not_a_number",
                    "bright",
                    "fail",
                    "hang",
                )
            },
            **{way: cheat(way) for way in ("leave", "die", "broken_prepare")},
            "mean_colour": registry.spec("attacks", "mean_colour", {}),
        }
        self.prior = folder / "prior"
        self.pool = AttackPool([*self.specs.values()], prior=self.prior)

    def ask(self, way: str, seed: int = 0) -> Picture:
        return self.pool.guess(self.specs[way], [self.view], [seed]).pictures[0]


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


def test_reports_of_use_are_off_in_the_run_and_in_the_process() -> None:
    names = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_USAGE_STATS_ENABLED")
    script = (
        "import json, os, pedbench; from pedbench.adversary.isolation.environment import environment\n"
        f"print(json.dumps([[each.get(name) for name in {names}] for each in (os.environ, environment('', ''))]))"
    )
    contrary = {**os.environ, **dict.fromkeys(names[:3], "0"), "RAY_USAGE_STATS_ENABLED": "1"}
    printed = subprocess.run([sys.executable, "-c", script], env=contrary, stdout=subprocess.PIPE, check=True)
    assert json.loads(printed.stdout) == [["1", "1", "1", "0"]] * 2


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


def test_zygote_ends_without_a_word() -> None:
    """Libraries that it holds would print what they did not free."""
    script = (
        "import atexit; atexit.register(print, 'not freed')\n"
        "from pedbench.adversary.isolation.zygote import main\n"
        "main()"
    )
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        link = theirs.fileno()
        done = subprocess.run(
            [sys.executable, "-c", script, str(link)], pass_fds=[link], capture_output=True, check=True
        )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_killed_zygote_is_replaced(bench: Bench) -> None:
    bench.ask("honest")
    zygote = bench.pool._zygote()
    zygote.process.kill()
    zygote.process.wait()
    assert bench.ask("honest").shape == (24, 32, 3)
    assert bench.pool._zygote() is not zygote


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
        told = pool.submit(broken, [bench.view], [0]).exception()
        assert "no weights here" in str(told)
        assert np.array_equal(
            pool.submit(honest, [bench.view], [3]).result().pictures[0], bench.ask("honest", 3)
        )


def test_closing_ends_a_guess_that_never_ends(bench: Bench) -> None:
    with AttackPool([bench.specs["hang"]], workers=1, prior=bench.prior) as pool:
        hanging, queued = (pool.submit(bench.specs["hang"], [bench.view], [0]) for _ in range(2))
    assert isinstance(hanging.exception(), AttackFailure)
    assert queued.cancelled()


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


@pytest.mark.parametrize("place", ["{}", "{}/annotations/instances.json", "{}/images", "/"])
def test_no_attack_of_a_run_may_ask_for_the_truth(run_small: Any, tmp_path: Path, place: str) -> None:
    folder = Scenes(count=8).folder.locations[0].parent
    attacks = ["mean_colour", {"name": "snoops", "params": {"place": place.format(folder)}}]
    with pytest.raises(PluginError, match=r"snoops asks to read .* keeps the truth"):
        run_small(tmp_path, plugins=["snoops"], attacks=attacks)


def test_no_attack_of_a_run_may_ask_for_what_runs_keep(run_small: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / PLAN).write_text("[]")
    for place, kept in (
        (other / "exhibits", "a run keeps pictures"),
        (tmp_path / "own", "a run keeps pictures"),
        (home() / "hosted" / "replies", "replies of services are kept"),
    ):
        attacks = ["mean_colour", {"name": "snoops", "params": {"place": str(place)}}]
        with pytest.raises(PluginError, match=rf"snoops asks to read .*, where {kept}"):
            run_small(tmp_path / "own", plugins=["snoops"], attacks=attacks)

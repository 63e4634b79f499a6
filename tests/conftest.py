"""Whole runs, as small as they can be; the one that others are compared with is made once."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

# How fast a busy machine draws examples says nothing of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

PLUGINS = Path(__file__).parent / "measure" / "plugins"
PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "photos"

SMALL: dict[str, Any] = {
    "name": "small",
    "version": 1,
    "seed": 0,
    "model": "mini",
    "dataset": {"name": "scenes", "params": {"count": 8}, "limit": 2},
    "utility": [{"protocol": "clicks", "prompts": ["1"]}],
    "defenses": [{"name": "on_device"}, {"name": "full_offload"}, {"name": "ped_sam"}],
    "attacks": ["mean_colour", "random_image"],
    "metrics": ["root_mean_square_error", "structural_similarity"],
    "coalitions": [{"c": 1, "m": 3}, {"c": "N", "m": 1}],
    "latency": {"samples": 2, "warmup": 1, "turn_taking": False},
}


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run's directory and what it told the user."""

    directory: Path
    said: str

    @property
    def records(self) -> list[Any]:
        """The newest record of each planned cell, in the order of the plan."""
        from pedbench.results.records import read_plan, read_records

        records = read_records(self.directory)
        return [records[cell_id] for cell_id in read_plan(self.directory)]

    def of(self, defense: str, kind: str = "", attack: str | None = None) -> list[Any]:
        """Records of a defense; `attack=""` are those of what was received."""
        return [
            record
            for record in self.records
            if record.cell["defense"]["name"] == defense
            and (not kind or record.cell["kind"] == kind)
            and (attack is None or record.cell.get("attack", {"name": ""})["name"] == attack)
            and (attack is None or record.cell["kind"] == "privacy")
        ]

    def values(self, record: Any) -> pd.DataFrame:
        from pedbench.results.values import read_values

        return read_values(self.directory, record.cell_id)


Run = Callable[..., Finished]

_GROWN = 64 * 2**20
"""Bytes by which a module's tests may grow the process before freed memory is given back."""


def _private_bytes() -> int:
    """Return the private memory of this process in bytes, on Linux; elsewhere 0."""
    status = Path("/proc/self/status")
    found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


@pytest.fixture(scope="module", autouse=True)
def give_freed_memory_back() -> Iterator[None]:
    """Keeps the process that runs many modules small: glibc holds on to what they freed."""
    before = _private_bytes()
    yield
    if _private_bytes() > before + _GROWN:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@pytest.fixture(scope="session")
def run_small() -> Run:
    """Runs the small suite, with changes, in a directory, with the plugins of the tests."""

    def run_it(
        directory: Path,
        plugins: Sequence[str | Path] = (),
        *,
        report: bool = False,
        engine: Any = None,
        **changes: Any,
    ) -> Finished:
        from pedbench.engines.runner import run
        from pedbench.host.console import Console
        from pedbench.host.stopwatch import Profile
        from pedbench.registry import Registry
        from pedbench.results.run_directory import SUITE
        from pedbench.suites.files import to_toml
        from pedbench.suites.resolve import Overrides, resolve
        from pedbench.suites.schema import Suite

        paths = [PLUGINS / f"{name}.py" if isinstance(name, str) else name for name in plugins]
        suite = resolve(Suite.model_validate(SMALL | changes), Overrides(), Registry(paths))
        directory.mkdir(parents=True, exist_ok=True)
        (directory / SUITE).write_text(to_toml(suite), encoding="utf-8")
        stream = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            if not report:
                patch.setattr("pedbench.report.outputs.writing.write_report", lambda *_, **__: None)
            run(suite, directory, Console(stream), paths, Profile(), engine)
        return Finished(directory=directory, said=stream.getvalue())

    return run_it


@pytest.fixture(scope="session")
def photographs() -> list[Any]:
    """Ten photographs as (H, W, 3) float32 in [0, 1], of several kinds and sizes."""
    from pedbench.pictures.files import read_picture

    files = sorted(PHOTOGRAPHS.glob("*.jpg"))[::22]
    if len(files) < 10:
        pytest.skip(f"needs the photographs in {PHOTOGRAPHS}")
    return [read_picture(file, upright=True) for file in files]


TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(scope="session")
def tiny_vit() -> Callable[[Path], Any]:
    """Saves a random vision transformer into a folder, and returns its network."""

    def save(folder: Path) -> Any:
        import torch
        from transformers import ViTConfig, ViTImageProcessor, ViTModel

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = ViTModel(ViTConfig(**TRANSFORMER, image_size=32, patch_size=8)).eval()
        network.save_pretrained(folder)
        ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
        return network

    return save


CONTROLLED = [*SMALL["defenses"], {"name": "random_payload"}]


def made_once(name: str, factory: pytest.TempPathFactory, make: Callable[[Path], Finished]) -> Finished:
    """A copy of a run that one worker of pytest-xdist makes for all."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    original, output = shared / f"{name}_run", shared / f"{name}_run.txt"
    with open(shared / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            shutil.rmtree(original, ignore_errors=True)
            output.write_text(make(original).said, encoding="utf-8")
    directory = factory.mktemp(name) / original.name
    shutil.copytree(original, directory, symlinks=True)
    return Finished(directory=directory, said=output.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def small_run(run_small: Run, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Four scenes, every kind of control."""
    dataset = SMALL["dataset"] | {"limit": 4}
    return made_once(
        "small",
        tmp_path_factory,
        lambda directory: run_small(directory, report=True, dataset=dataset, defenses=CONTROLLED),
    )


@pytest.fixture(scope="session")
def short_run(run_small: Run, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The same with two scenes, which are worked on one at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pedbench.engines.jobs.SHARD", 1)
        return made_once(
            "short", tmp_path_factory, lambda directory: run_small(directory, defenses=CONTROLLED)
        )


@dataclass(frozen=True, kw_only=True)
class Served:
    """A real `pedbench serve` process, and where it listens, as HOST:PORT."""

    process: subprocess.Popen[str]
    address: str


Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Starts a server for the length of a context, with further options and paths of modules."""
    root = Path(__file__).parents[1]

    @contextmanager
    def started(*options: str, paths: Sequence[Path] = (), bind: str = "127.0.0.1:0") -> Iterator[Served]:
        command = [sys.executable, "-m", "pedbench", "serve", "--device", "cpu", "--bind", bind, *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root, *paths)))}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                assert process.stdout is not None
                found = re.search(r" at (\S+:\d+) on ", process.stdout.readline())
                assert found
                yield Served(process=process, address=found[1])
            finally:
                # One that is stopped does not hear anything else.
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(60)

    return started

"""The small install: what edges and servers run imports nothing that the extra `bench` brings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pedbench.host.requirements import requirements
from pedbench.report.numbers.times import times
from pedbench.results.run import load
from tests.conftest import Serve

ABSENT = """
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *others: None if name in {names} else find_spec(name, *others)
"""
"""Module `sitecustomize` of an environment that lacks some top-level modules."""


def small() -> Iterator[str]:
    """Yield the distributions of the small install by normalised name."""
    due, seen = list(requirements()), set[str]()
    while due:
        required = Requirement(due.pop())
        name = re.sub(r"[-_.]+", "-", required.name).lower()
        if name in seen or not (required.marker is None or required.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        yield name
        due += metadata.requires(name) or []


@pytest.fixture
def small_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all processes that the test starts miss every module that the small install does not bring."""
    kept = set(small()) | {"pedbench"}
    names = {
        module
        for module, distributions in metadata.packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", name).lower() for name in distributions} & kept
    }
    assert {"pandas", "scipy", "torchvision", "pycocotools"} <= names
    assert not {"torch", "grpc", "segment_anything"} & names
    (tmp_path / "sitecustomize.py").write_text(ABSENT.format(names=sorted(names)))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])]))


def pedbench(*arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "pedbench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.usefixtures("small_install")
def test_servers_are_measured_and_the_report_follows_elsewhere(tmp_path: Path, serve: Serve) -> None:
    keys, out = tmp_path / "keys", tmp_path / "out"
    pedbench("keys", str(keys), "--server", "one,127.0.0.1")
    with serve("--keys", str(keys / "one"), paths=[tmp_path]) as server:
        output = pedbench(
            *("run", "latency", "--servers", server.address, "--keys", str(keys / "edge")),
            *("--defense", "on_device", "--defense", "full_offload", "--limit", "1", "--out", str(out)),
        )
    assert "pip install 'pedbench[bench]'" in output
    assert {file.suffix for file in (out / "latest" / "values").iterdir()} == {".jsonl"}
    frame = times(load(out / "latest"))
    assert [*frame["defense"]] == ["on_device", "full_offload"]
    assert (frame["p50"] > 0).all()


@pytest.mark.long
@pytest.mark.usefixtures("small_install")
def test_what_needs_the_rest_names_the_command(tmp_path: Path) -> None:
    assert "note    extra bench: not installed" in pedbench("doctor")
    for arguments in (["report", str(tmp_path)], ["run", "proof", "--out", str(tmp_path)]):
        output = pedbench(*arguments, status=2)
        assert re.fullmatch(r"pedbench: .*\w is not installed; .*pip install 'pedbench\[bench\]'\.\n", output)

"""The wheels: every package and data file of the tree in one of them, and a run from both alone."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli

ROOT = Path(__file__).parents[1]
PLUGINS = {f"pedbench.plugins.{kind}" for kind in ("attacks", "datasets", "defenses")}
DATA = {"pedbench.assets", "pedbench.assets.prior", "pedbench.cli.templates"}
"""Folders of data that Python could import: declared, or setuptools warns of them."""


def test_every_package_is_declared() -> None:
    declared = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {file.parent for file in (ROOT / "pedbench").rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(declared) == found | PLUGINS | DATA
    assert len(declared) == len(set(declared))


def test_weights_are_of_the_same_version() -> None:
    ours, weights = (
        tomli.loads((ROOT / name).read_text()) for name in ("pyproject.toml", "tools/weights/pyproject.toml")
    )
    pinned = f"pedbench-weights=={weights['project']['version']}"
    assert weights["project"]["version"] == ours["project"]["version"]
    assert pinned in ours["project"]["optional-dependencies"]["bench"]


@pytest.mark.long
def test_the_wheels_hold_the_tree_and_run_alone(tmp_path: Path) -> None:
    def call(*command: str, folder: Path = tmp_path, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(name) for name in tracked.stdout.split("\0") if name and (ROOT / name).is_file()]
    source = tmp_path / "source"
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())
    (source / "tools" / "weights" / "pedbench_weights").symlink_to("../../pedbench/assets")
    packed: list[Path] = []
    for folder in (source, source / "tools" / "weights"):
        output = call("build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), folder=folder)
        assert "Warning" not in output
    wheels = sorted(tmp_path.glob("*.whl"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            packed += [Path(name) for name in archive.namelist() if ".dist-info" not in name]
    small = [file for file in packed if file.is_relative_to("pedbench")]
    more = [Path("pedbench", "assets", *file.parts[1:]) for file in packed if file not in small]
    assert set(small) & set(more) == {Path("pedbench", "assets", "manifest.json")}
    mapped = {
        Path("pedbench", "plugins", file) if file.parts[0] in ("attacks", "datasets", "defenses") else file
        for file in files
        if file.parts[0] in ("pedbench", "attacks", "datasets", "defenses")
    }
    assert {*small, *more} == mapped, sorted(map(str, {*small, *more} ^ mapped))

    target = tmp_path / "installed"
    call("pip", "install", "--quiet", "--no-deps", "--target", str(target), *map(str, wheels))
    listing = call("pedbench", "list", "defenses", "--long", PYTHONPATH=str(target))
    assert "ped_sam" in listing
    out = tmp_path / "out"
    selected = ("--defense", "on_device", "--defense", "ped_sam", "--attack", "mean_colour", "--limit", "1")
    call("pedbench", "run", "mini", *selected, "--out", str(out), PYTHONPATH=str(target))
    assert (out / "latest" / "report.html").is_file()

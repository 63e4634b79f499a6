"""The wheel: every package and data file of the tree, and a run from it alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGINS = {f"pedbench.plugins.{kind}" for kind in ("attacks", "datasets", "defenses")}
DATA = {"pedbench.assets", "pedbench.assets.prior", "pedbench.cli.templates"}
"""Folders of data that Python could import: declared, or setuptools warns of them."""


def test_every_package_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {file.parent for file in (ROOT / "pedbench").rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(declared) == found | PLUGINS | DATA
    assert len(declared) == len(set(declared))


@pytest.mark.long
def test_the_wheel_holds_the_tree_and_runs_alone(tmp_path: Path) -> None:
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
    files = [Path(name) for name in tracked.stdout.split("\0") if name]
    source = tmp_path / "source"
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())
    output = call("build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), folder=source)
    assert "Warning" not in output
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {Path(name) for name in archive.namelist() if ".dist-info" not in name}
    mapped = {
        Path("pedbench", "plugins", file) if file.parts[0] in ("attacks", "datasets", "defenses") else file
        for file in files
        if file.parts[0] in ("pedbench", "attacks", "datasets", "defenses")
    }
    assert packed == mapped, sorted(map(str, packed ^ mapped))

    target = tmp_path / "installed"
    call("pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel))
    listing = call("pedbench", "list", "defenses", "--long", PYTHONPATH=str(target))
    assert "ped_sam" in listing
    out = tmp_path / "out"
    selected = ("--defense", "on_device", "--defense", "ped_sam", "--attack", "mean_colour", "--limit", "1")
    call("pedbench", "run", "mini", *selected, "--out", str(out), PYTHONPATH=str(target))
    assert (out / "latest" / "report.html").is_file()

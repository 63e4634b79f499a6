"""The wheel holds every package of the tree."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGINS = {f"pedbench.plugins.{kind}" for kind in ("attacks", "datasets", "defenses")}
DATA = {"pedbench.assets", "pedbench.assets.prior"}
"""Folders of data that Python could import: declared, or setuptools warns of them."""


def test_every_package_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "pedbench").rglob("__init__.py")
    }
    assert set(declared) == found | PLUGINS | DATA
    assert len(declared) == len(set(declared))

"""The distributions that pedbench requires."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pedbench


def requirements() -> list[str]:
    """List pedbench's dependencies as `name>=version`, from the checkout or the installed package."""
    project = Path(pedbench.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        listed: list[str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
        return listed
    return [entry for entry in importlib.metadata.requires("pedbench") or () if "extra ==" not in entry]

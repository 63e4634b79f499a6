"""The distributions that pedbench requires, and what to do where one is missing."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

import tomli

import pedbench

MIN_PYTHON = (3, 10)
BENCH_PYTHON = (3, 11)
"""Oldest Python of the extra `bench`."""

BENCH = "python -m pip install 'pedbench[bench]'"

_BENCH_MODULES = ("pandas", "pyarrow", "scipy", "pycocotools")


def requirements(extra: str = "") -> list[str]:
    """List what pedbench itself or one of its extras requires, as `name>=version`.

    They are read from the checkout, or from the installed package.
    """
    project = Path(pedbench.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        table = tomli.loads(project.read_text(encoding="utf-8"))["project"]
        listed: list[str] = table["optional-dependencies"][extra] if extra else table["dependencies"]
        return listed
    entries = (entry.partition(";") for entry in importlib.metadata.requires("pedbench") or ())
    return [
        name.strip()
        for name, _, marker in entries
        if (f'extra == "{extra}"' in marker if extra else "extra ==" not in marker)
    ]


def require_bench() -> None:
    """Raise if this is the small install, for what takes more than edges and servers.

    Raises:
        ModuleNotFoundError: The extra `bench` is not installed.
    """
    for name in _BENCH_MODULES:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def has_bench() -> bool:
    """Return whether the extra `bench` is installed."""
    try:
        require_bench()
    except ModuleNotFoundError:
        return False
    return True


def remedy(error: ModuleNotFoundError) -> str:
    """Return a sentence on a module that is not installed, with the command that installs it."""
    need = f"{error.name} is not installed; only edges and servers do without the extra `bench`: {BENCH}"
    if sys.version_info >= BENCH_PYTHON:
        return f"{need}."
    least = ".".join(map(str, BENCH_PYTHON))
    return f"{need}, with Python {least} or newer; this is {platform.python_version()}."

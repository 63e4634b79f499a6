"""Libraries of this process that lie outside of its Python installation: on PYTHONPATH, in the user site, editable."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from pedbench.adversary.isolation import guard
from pedbench.host.requirements import requirements

_STARTED_BY_PYTHON = {"__main__", "__mp_main__", "sitecustomize", "usercustomize"}


def libraries(plugins: Iterable[str], closed: Iterable[Path], code: Iterable[Path] = ()) -> dict[str, Path]:
    """Return single modules, packages and their metadata outside of the Python installation, by file name.

    These are what this process has imported, what the distributions that it needs have installed, and what attacks,
    which this process does not import, name in their code.

    Args:
        plugins: Names of the distributions that declare attacks.
        closed: Files and folders with some of the truth, that no library may hold or lie in.
        code: Files of attacks, and folders of those that are packages.
    """
    imported = dict(_imported())
    installed = _installed_by((*_required(), *plugins, *imported), tuple(sys.path))
    truths = [path.resolve() for path in closed]
    folders = [path.resolve() for path in (Path.cwd(), *map(Path, sys.path))]

    def is_open(path: Path) -> bool:
        real = path.resolve()
        return not any(place.is_relative_to(real) for place in (*truths, *folders)) and not any(
            real.is_relative_to(truth) for truth in truths
        )

    found = (*installed, *imported.values(), *_named_in(code))
    return {path.name: path for path in found if is_open(path)}


def shared_objects() -> list[Path]:
    """Return the files of shared libraries that this process has loaded from outside, e.g. by LD_LIBRARY_PATH."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    files = {Path(file) for file in re.findall(r" (/.+\.so(?:\.[\d.]+)?)$", maps, re.MULTILINE)}
    return sorted(file for file in files if _outside(file))


def _outside(path: Path) -> bool:
    real = path.resolve()
    return not any(real.is_relative_to(root) for root in guard.installation())


def _imported() -> Iterator[tuple[str, Path]]:
    """Yield name and place of the top-level modules that this process has imported from outside."""
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        # Modules of pedbench's own include the files of plugins, of which attacks' are open anyway.
        if "." in name or name in _STARTED_BY_PYTHON or name.startswith("pedbench") or spec is None:
            continue
        for path in _places(spec):
            yield name, path


def _places(spec: ModuleSpec) -> Iterator[Path]:
    """Yield the file of a module or the folder of a package; nothing of a namespace, which may be any folder."""
    if spec.has_location and spec.origin:
        file = Path(spec.origin)
        path = file if spec.submodule_search_locations is None else file.parent
        if path.exists() and _outside(path):
            yield path


def _named_in(code: Iterable[Path]) -> Iterator[Path]:
    """Yield packages among `code`, and what it imports from outside, and what that imports; nothing is run."""
    due, seen = list(code), set[str]()
    while due:
        path = due.pop()
        if path.is_dir() and _outside(path):
            yield path
        for name in _imports(path):
            if name in seen or name.startswith("pedbench"):
                continue
            seen.add(name)
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, ValueError):
                continue
            for place in _places(spec) if spec is not None else ():
                yield place
                due.append(place)


def _imports(path: Path) -> set[str]:
    """Return the top-level names that a file, or the files of a folder, imports."""
    names = set()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        try:
            nodes = list(ast.walk(ast.parse(file.read_bytes())))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in nodes:
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names


@cache
def _installed_by(names: tuple[str, ...], _path: tuple[str, ...]) -> tuple[Path, ...]:
    """Return what distributions, and those that they require in turn, have installed outside."""
    return tuple(path for distribution in _with_required(names) for path in _installed(distribution))


@cache
def importable() -> frozenset[str]:
    """Return the names of pedbench and of the packages and modules of the distributions that it requires."""
    names = {"pedbench"}
    for distribution in _with_required(_required()):
        listed = (distribution.read_text("top_level.txt") or "").split()
        names.update(listed or (file.parts[0].partition(".")[0] for file in distribution.files or ()))
    return frozenset(names)


def _required() -> tuple[str, ...]:
    return (*requirements(), *requirements("bench"))


def _with_required(names: Iterable[str]) -> Iterator[Distribution]:
    """Yield distributions and those that they require in turn, of those that are installed."""
    due, seen = list(names), {"pedbench"}
    while due:
        match = re.match(r"[\w.-]+", due.pop())
        name = re.sub(r"[-_.]+", "-", match[0]).lower() if match else "pedbench"
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except PackageNotFoundError:
            continue
        yield distribution
        due += distribution.requires or ()


def _installed(distribution: Distribution) -> Iterator[Path]:
    """Yield the packages, modules and metadata of one distribution that lie outside."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        listed = (distribution.read_text("top_level.txt") or "").split()
        for name in listed or [distribution.metadata["Name"].replace("-", "_")]:
            spec = importlib.util.find_spec(name)
            yield from _places(spec) if spec is not None else ()
    elif _outside(Path(str(distribution.locate_file("")))) and distribution.read_text("RECORD"):
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            path = Path(str(distribution.locate_file(name)))
            if path.exists():
                yield path

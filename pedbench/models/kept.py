"""Networks that a process keeps so that its forks share them.

The process from which attacks are forked runs none of their code. What it keeps is loaded by the functions that `kept`
marks, so a fork that asks for the same network finds it in its memory.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_N = TypeVar("_N")
_KEPT: dict[tuple[str, str, str], Any] = {}
_LOADERS: dict[str, Callable[[Any], Any]] = {}
_refused: set[tuple[str, str]] | None = None


class NetworkWanted(BaseException):
    """A fork asks for a network that the process it was forked from should keep.

    Not an `Exception`, so that no attack handles it by mistake.
    """

    def __init__(self, loader: str, model: str) -> None:
        super().__init__(loader, model)
        self.loader = loader
        self.model = model


def kept(load: Callable[[Any], _N]) -> Callable[[Any], _N]:
    """Mark a function that loads a network from the name or path of a model, so that forks can share its result.

    In a process that is no such fork the function loads anew, as without the mark.
    """
    name = f"{load.__module__}:{load.__qualname__}"
    _LOADERS[name] = load

    @functools.wraps(load)
    def wrapper(model: Any) -> _N:
        key = name, str(model), _state(model)
        if key in _KEPT:
            found: _N = _KEPT[key]
            return found
        if _refused is not None and key[:2] not in _refused:
            raise NetworkWanted(*key[:2])
        return load(model)

    return wrapper


def keep(loader: str, model: str) -> None:
    """Load a network and keep it.

    Args:
        loader: From `NetworkWanted`.
        model: Likewise.

    Raises:
        ValueError: `loader` is not marked as `kept`.
        Exception: Whatever the loader raises.
    """
    module = loader.partition(":")[0]
    if not module.startswith("pedbench.models."):
        raise ValueError(f"{loader} is no loader of pedbench")
    importlib.import_module(module)
    if loader not in _LOADERS:
        raise ValueError(f"{loader} is no loader of pedbench")
    path = Path(model)
    _KEPT[loader, model, _state(model)] = _LOADERS[loader](path if path.suffix else model)


def _state(model: str | Path) -> str:
    """Return what changes when the files of a model change, if a path names it.

    They are opened, as who may not read them must not get the network either.
    """
    path = Path(model)
    if not path.is_absolute() or not path.exists():
        return ""
    state = []
    for file in [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]:
        with file.open("rb") as opened:
            facts = os.fstat(opened.fileno())
        state.append(f"{file}:{facts.st_mtime_ns}:{facts.st_size}")
    return " ".join(state)


def share(refused: set[tuple[str, str]]) -> None:
    """Ask, in a fork, for networks that are not kept, by `NetworkWanted`.

    Args:
        refused: Loaders and models that could not be kept; the fork loads them itself, and fails as they do.
    """
    global _refused
    _refused = refused

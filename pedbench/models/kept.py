"""Networks that a process keeps so that its forks share them.

The process from which attacks are forked runs none of their code. What it keeps is loaded by the functions that `kept`
marks, so a fork that asks for the same network finds it in its memory.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_N = TypeVar("_N")
_KEPT: dict[tuple[str, str], Any] = {}
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
        key = name, str(model)
        if key in _KEPT:
            found: _N = _KEPT[key]
            return found
        if _refused is not None and key not in _refused:
            raise NetworkWanted(*key)
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
    _KEPT[loader, model] = _LOADERS[loader](Path(model) if Path(model).suffix else model)


def share(refused: set[tuple[str, str]]) -> None:
    """Ask, in a fork, for networks that are not kept, by `NetworkWanted`.

    Args:
        refused: Loaders and models that could not be kept; the fork loads them itself, and fails as they do.
    """
    global _refused
    _refused = refused

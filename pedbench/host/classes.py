"""Classes among the values of a module or a class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def subclasses(values: Iterable[object], base: type[Any]) -> list[type[Any]]:
    """Return the values that are subclasses of `base`, in their order."""
    # In Python 3.10, `isinstance(list[int], type)` holds.
    return [
        value
        for value in values
        if isinstance(value, type) and issubclass(type(value), type) and issubclass(value, base)
    ]

"""Class constants of plugins, checked against the annotations of the base classes in `pedbench.base`."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Iterator
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pedbench.errors import PluginError, plugin_line, suggestion

if TYPE_CHECKING:
    from pedbench.base import Attack, Plugin

_MISSING = object()

_ALMOST = 0.8
"""Similarity from which the name of an undeclared constant counts as a misspelt declared one."""


def check_constants(plugin: type[Plugin] | Plugin) -> None:
    """Check the constants of a plugin's class, or those of an instance, where properties have their values.

    Raises:
        PluginError: A constant is missing, misspelt, or not what its annotation says.
    """
    owner: type[Any] = plugin if isinstance(plugin, type) else type(plugin)
    declared = _declared(owner)
    for name, annotation in declared.items():
        value = getattr(plugin, name, _MISSING)
        if value is _MISSING:
            near = suggestion(name, undeclared(owner))
            raise PluginError(
                f"{owner.__name__} needs a class constant `{name}`{near}: {in_words(annotation)}."
            )
        if isinstance(plugin, type) and hasattr(type(value), "__get__"):
            continue
        _check(f"{owner.__name__}: `{name}`", annotation, value)
    for name in undeclared(owner):
        for intended in difflib.get_close_matches(name, _names(owner), 1, _ALMOST):
            raise PluginError(f"{owner.__name__}: there is no constant `{name}`: did you mean `{intended}`?")


def check_properties(plugin: Plugin) -> None:
    """Check the values of the properties that the base classes declare; those of datasets may read pictures.

    Raises:
        PluginError: One raises, or has a value of another type.
    """
    for base in _bases(type(plugin)):
        for name, declared in vars(base).items():
            if not isinstance(declared, property) or base.__name__ == "Dataset":
                continue
            subject = f"{plugin.name}: `{name}`"
            try:
                value = getattr(plugin, name)
            # A plugin can raise anything.
            except Exception as error:
                raise PluginError(
                    f"{subject} raises {type(error).__name__}: {error}{plugin_line(error)}."
                ) from error
            _check(subject, inspect.get_annotations(cast(Any, declared.fget), eval_str=True)["return"], value)


def check_files(attack: Attack) -> None:
    """Check that an attack with weights of its own says what they learned, and is no floor.

    Raises:
        PluginError: It does not, or it names a file relative to the working directory, which its process leaves.
    """
    if attack.floor and (attack.files or attack.knowledge):
        raise PluginError(
            f"{attack.name}: a floor has no learned prior, to which leakage relates: leave `floor = True` out, or "
            "`files` and `knowledge`."
        )
    if attack.files and not attack.knowledge:
        raise PluginError(f"{attack.name} reads {attack.files[0]}: say in `knowledge` what it learned from.")
    for file in attack.files:
        if not file.is_absolute():
            raise PluginError(
                f"{attack.name}: `files` names {file}, and attacks run in a folder of their own: make it absolute in "
                "`__post_init__`, by str(Path(...).expanduser().resolve())."
            )


def undeclared(owner: type[Any]) -> list[str]:
    """List the public values in a class's body that are neither fields nor declared by a base class."""
    known = {*_names(owner), *inspect.get_annotations(owner), "proof"}
    return [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_")
        and name not in known
        and not isinstance(value, type | FunctionType)
        and not hasattr(type(value), "__get__")
    ]


def in_words(annotation: Any) -> str:
    """Describe the values that an annotation allows."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(repr(choice) for choice in inner)
    if origin is frozenset:
        return f"frozenset of {in_words(inner[0])}"
    return annotation.__name__ if isinstance(annotation, type) and not inner else str(annotation)


def _check(subject: str, annotation: Any, value: Any) -> None:
    adapter: TypeAdapter[Any] = _adapter(annotation)
    try:
        adapter.validate_python(value)
    except ValidationError:
        raise PluginError(
            f"{subject}: expected {in_words(annotation)}, found {value!r}{_nearest(annotation, value)}."
        ) from None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for name, inner in inspect.get_annotations(type(value), eval_str=True).items():
            _check(f"{subject}: `{name}`", inner, getattr(value, name))


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=None if dataclasses.is_dataclass(annotation) else _STRICT)


_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


def _nearest(annotation: Any, value: Any) -> str:
    """Return a hint at the allowed choice that a wrong one resembles."""
    choices = [choice for choice in _choices(annotation) if choice and isinstance(choice, str)]
    found = [value] if isinstance(value, str) else value if isinstance(value, set | frozenset | tuple) else []
    hints = [suggestion(each, choices) for each in found if isinstance(each, str) and each not in choices]
    return next(filter(None, hints), "")


def _choices(annotation: Any) -> Iterator[Any]:
    for inner in get_args(annotation):
        yield from _choices(inner) if get_args(inner) else (inner,)


def _declared(owner: type[Any]) -> dict[str, Any]:
    """Return the annotations of all class constants that the bases of a plugin declare."""
    declared = {}
    for base in reversed(_bases(owner)):
        for name, annotation in inspect.get_annotations(base, eval_str=True).items():
            origin: Any = get_origin(annotation)
            if origin is ClassVar:
                declared[name] = get_args(annotation)[0]
    return declared


def _names(owner: type[Any]) -> list[str]:
    """List all names that the bases of a plugin declare or define."""
    names = {name for base in _bases(owner) for name in (*vars(base), *inspect.get_annotations(base))}
    return sorted(name for name in names if not name.startswith("_"))


def _bases(owner: type[Any]) -> list[type[Any]]:
    return [base for base in owner.__mro__ if base.__module__.startswith("pedbench.base.")]

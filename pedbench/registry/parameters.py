"""Parameters of plugins: dataclass fields, checked by name and type before the plugin is built."""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pedbench.errors import PluginError, suggestion
from pedbench.registry.constants import in_words

if TYPE_CHECKING:
    from pedbench.base import Plugin


def checked(plugin: type[Plugin], params: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters against a plugin's fields, and return them.

    Lists become tuples and ints become floats where the annotation says so; nothing else is converted.

    Raises:
        PluginError: A parameter is unknown, missing or of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(plugin) if field.init}
    for name in params:
        if name not in fields:
            raise PluginError(
                f"{plugin.name} has no parameter {name!r}{suggestion(name, fields)}: {_all_parameters(plugin)}."
            )
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in params:
            raise PluginError(
                f"{plugin.name} needs a value for its parameter {name!r}: {_all_parameters(plugin)}."
            )
    return {name: _checked_value(plugin, name, value) for name, value in params.items()}


def check_values(plugin: Plugin) -> None:
    """Check that all values of a plugin's parameters, defaults too, can be written into a suite.

    Raises:
        PluginError: One cannot.
    """
    for name, value in plugin.params.items():
        try:
            json.dumps(value)
        except TypeError:
            raise PluginError(
                f"the parameter {name!r} is {value!r} ({type(value).__name__}): parameters are numbers, words, "
                "booleans or lists of these. Convert it in `prepare`, or use float(...) or str(...)."
            ) from None


def _all_parameters(plugin: type[Plugin]) -> str:
    listed = []
    for field in dataclasses.fields(plugin):
        if field.init:
            has_default = field.default is not dataclasses.MISSING
            listed.append(f"{field.name}={field.default!r}" if has_default else field.name)
    return f"its parameters are {', '.join(listed)}" if listed else "it has no parameters"


def _checked_value(plugin: type[Plugin], name: str, value: Any) -> Any:
    hint = _annotation(plugin, name)
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(strict=True))
    try:
        return adapter.validate_json(json.dumps(value, default=str))
    except ValidationError:
        raise PluginError(
            f"parameter {name!r} of {plugin.name}: expected {in_words(hint)}, "
            f"found {value!r} ({type(value).__name__})."
        ) from None


def _annotation(plugin: type[Plugin], name: str) -> Any:
    for owner in plugin.__mro__:
        hint = inspect.get_annotations(owner).get(name)
        if hint is not None:
            # Evaluate this annotation only: others may name types that are imported for type checkers alone.
            return eval(hint, vars(sys.modules[owner.__module__])) if isinstance(hint, str) else hint
    raise PluginError(f"{plugin.name}: the parameter {name!r} has no annotation.")

"""Controls for the parameters of plugins, read off their source: nothing is imported for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pedbench.adversary.isolation.facts import describe
from pedbench.errors import PluginError
from pedbench.models.sam.family import WEIGHTS, Family
from pedbench.registry import Kind, Registry
from pedbench.registry.origins import source_file


@dataclass(frozen=True, kw_only=True)
class Control:
    """A parameter as a person sets it.

    Attributes:
        about: What the plugin's docstring says of it.
        default: Its value at first; None if the plugin has no default.
        options: For "choice": values that the docstring or the annotation names; others may be typed.
        low, high: For "number": the ends of the slider; the plugin itself decides what it accepts.
    """

    name: str
    kind: Literal["switch", "number", "choice", "text"]
    about: str
    default: Any
    options: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False


def controls(registry: Registry, kind: Kind, name: str, models: Family) -> list[Control]:
    """Return the controls of a plugin's parameters in their order.

    Args:
        models: The model family: there are no more servers than its grid has windows, and no weights but its own.

    Raises:
        PluginError: The plugin is unknown or broken.
    """
    spec = registry.spec(kind, name, {})
    plugin = describe(spec) if kind == "attacks" else registry.create(kind, name, {})
    values = plugin.params | plugin.defaults
    annotations, notes = _source(registry, kind, name)
    return [
        _control(parameter, value, annotations.get(parameter, ""), notes.get(parameter, ""), models)
        for parameter, value in values.items()
    ]


def about(registry: Registry, kind: Kind, name: str) -> str:
    """Return the first sentence of a plugin's docstring.

    Raises:
        PluginError: The plugin's file is missing or no Python.
    """
    return (ast.get_docstring(_class(registry, kind, name)) or "").split("\n\n")[0].replace("\n", " ")


def _source(registry: Registry, kind: Kind, name: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the annotations and the docstring's notes of a plugin's own parameters."""
    found = _class(registry, kind, name)
    annotations = {
        node.target.id: ast.unparse(node.annotation)
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    _, _, attributes = (ast.get_docstring(found) or "").partition("Attributes:\n")
    listed = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return annotations, {parameter: " ".join(text.split()) for parameter, text in listed}


def _class(registry: Registry, kind: Kind, name: str) -> ast.ClassDef:
    """Return the class of a plugin's file that has its name."""
    origin = registry.origin(kind, name)
    try:
        tree = ast.parse(source_file(origin).read_bytes())
    except (OSError, SyntaxError) as error:
        raise PluginError(f"{kind} {name!r} ({origin}) cannot be read: {error}") from error
    for node in tree.body:
        named = isinstance(node, ast.ClassDef) and any(
            isinstance(item, ast.Assign) and ast.unparse(item) == f"name = {name!r}" for item in node.body
        )
        if isinstance(node, ast.ClassDef) and named:
            return node
    raise PluginError(f"{kind} {name!r} ({origin}): found no class in it with `name = {name!r}`.")


def _control(name: str, value: Any, annotation: str, note: str, models: Family) -> Control:
    if isinstance(value, bool):
        return Control(name=name, kind="switch", about=note, default=value)
    if isinstance(value, int | float):
        whole = isinstance(value, int)
        low, high = 0.0, float(max(4 * value, 10) if whole else 4 * value or 1)
        if name == "servers":
            low, high = 1.0, float(models.original.architecture.grid.count)
        return Control(name=name, kind="number", about=note, default=value, low=low, high=high, whole=whole)
    options = _options(name, value, annotation, note, models)
    return Control(
        name=name, kind="choice" if options else "text", about=note, default=value, options=options
    )


def _options(name: str, value: Any, annotation: str, note: str, models: Family) -> tuple[str, ...]:
    """Return the words that a parameter can have: of its `Literal`, or those that its note quotes."""
    if not isinstance(value, str):
        return ()
    if annotation.startswith("Literal["):
        return tuple(ast.literal_eval(f"({annotation[8:-1]},)"))
    if name == "weights":
        return tuple(weights for weights in WEIGHTS if models.member(weights))
    quoted = tuple(dict.fromkeys(re.findall(r"`([^`]+)`", note)))
    return quoted if value in quoted and len(quoted) > 1 else ()

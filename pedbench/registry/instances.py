"""Plugins that are handed over as objects instead of names."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pedbench.base import Plugin
from pedbench.errors import PluginError
from pedbench.registry import Registry
from pedbench.registry.origins import BASES, Kind, from_path
from pedbench.registry.source_of_class import standalone


def kind_of(plugin: type[Any]) -> Kind:
    """Which kind of plugin a class is.

    Raises:
        PluginError: It is none.
    """
    from pedbench import base

    for kind, name in BASES.items():
        if issubclass(plugin, getattr(base, name)):
            return kind
    raise PluginError(f"{plugin.__name__} derives from none of {', '.join(BASES.values())}.")


def check_given(kind: Kind, given: Sequence[Any]) -> None:
    """Refuse what is neither a name nor a plugin of a kind.

    Raises:
        PluginError: With what was found and what to do.
    """
    from pedbench import base

    wanted = getattr(base, BASES[kind])
    if isinstance(given, str | Plugin):
        raise PluginError(f"{kind}: expected a list of names and instances, found {given!r} alone.")
    for each in given:
        if isinstance(each, type) and issubclass(each, wanted):
            raise PluginError(f"{kind}: expected an instance, found the class: write {each.__name__}().")
        if not isinstance(each, str | wanted):
            raise PluginError(
                f"{kind}: expected names and instances of {wanted.__name__}, found {each!r} "
                f"({type(each).__name__})."
            )


def plugin_file(plugin: type[Any], registry: Registry, folder: Path) -> Path | None:
    """The file from which any process can load a class as a plugin.

    It is the file that defines the class if that is a plugin file, named like the plugin with one plugin in it;
    for classes of notebooks, scripts and other files it is written now, by `class_source`.

    Args:
        registry: Knows the plugins that have names.
        folder: Where files are written.

    Returns:
        None for a plugin that the registry has already.

    Raises:
        PluginError: The class has no name, or cannot leave the place where it is defined.
    """
    kind, name = kind_of(plugin), getattr(plugin, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise PluginError(f"{plugin.__name__} needs a class constant `name`, in snake_case; found {name!r}.")
    own = _own_file(plugin, kind)
    if name in registry.origins(kind):
        origin = registry.origin(kind, name)
        if origin.location == str(own) or registry.plugin_class(kind, name) is plugin:
            return None
        raise PluginError(
            f"{plugin.__name__} is named {name!r}, as {origin} is. Give one of them another name."
        )
    if own is not None:
        return own
    # A folder named like a kind says of what kind its plugins are, whatever they derive from.
    file = folder / kind / f"{name}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(standalone(plugin), encoding="utf-8")
    return file


def _own_file(plugin: type[Any], kind: Kind) -> Path | None:
    try:
        file = Path(inspect.getsourcefile(plugin) or "").resolve()
    except (TypeError, OSError):
        return None
    module = sys.modules.get(plugin.__module__)
    others = {
        value
        for value in (vars(module).values() if module else ())
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == plugin.__module__
    }
    if plugin.__module__ == "__main__" or file.stem != plugin.name or others != {plugin}:
        return None
    try:
        return file if [found for found, _, _ in from_path(file)] == [kind] else None
    except (PluginError, OSError):
        return None

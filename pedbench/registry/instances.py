"""Plugins that are passed as objects instead of names."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pedbench.base import Plugin
from pedbench.errors import PluginError
from pedbench.host.classes import subclasses
from pedbench.registry import Registry
from pedbench.registry.origins import BASES, Kind, from_path
from pedbench.registry.source_of_class import standalone


def kind_of(plugin: type[Any]) -> Kind:
    """Return the kind of a plugin class.

    Raises:
        PluginError: The class derives from no plugin base.
    """
    from pedbench import base

    for kind, name in BASES.items():
        if issubclass(plugin, getattr(base, name)):
            return kind
    raise PluginError(f"{plugin.__name__} derives from none of {', '.join(BASES.values())}.")


def check_given(kind: Kind, plugins: Sequence[Any]) -> None:
    """Check that `plugins` holds names and instances of a kind.

    Raises:
        PluginError: An item is something else, or `plugins` is no sequence.
    """
    from pedbench import base

    base_class = getattr(base, BASES[kind])
    if isinstance(plugins, str | Plugin):
        raise PluginError(f"{kind}: expected a list of names and instances, found {plugins!r} alone.")
    for each in plugins:
        if isinstance(each, type) and issubclass(each, base_class):
            raise PluginError(f"{kind}: expected an instance, found the class: write {each.__name__}().")
        if not isinstance(each, str | base_class):
            raise PluginError(
                f"{kind}: expected names and instances of {base_class.__name__}, found {each!r} "
                f"({type(each).__name__})."
            )


def plugin_file(plugin: type[Any], registry: Registry, folder: Path) -> Path | None:
    """Return a file from which any process can load a class as a plugin.

    A plugin file has the plugin's name and defines one plugin. If a plugin file defines the class, it is returned.
    A class of a notebook, a script or another file is written into a new file with everything that it uses.

    Args:
        registry: The plugins that can be loaded by name.
        folder: Folder for new files.

    Returns:
        None if the registry has the class already.

    Raises:
        PluginError: The class has no name, has the name of another plugin, or uses something that cannot be written.
    """
    kind, name = kind_of(plugin), getattr(plugin, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise PluginError(f"{plugin.__name__} needs a class constant `name`, in snake_case; found {name!r}.")
    own = _own_file(plugin, kind)
    if name in registry.origins(kind):
        origin = registry.origin(kind, name)
        if origin.location == str(own) or registry.plugin_class(kind, name) is plugin:
            return None
        raise PluginError(f"{plugin.__name__} is named {name!r}, as {origin} is. Rename one of them.")
    if own is not None:
        return own
    # The folder's name states the kind, which `from_path` may not find in the text of an indirect base.
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
        for value in subclasses(vars(module).values() if module else (), Plugin)
        if value.__module__ == plugin.__module__
    }
    if plugin.__module__ == "__main__" or file.stem != plugin.name or others != {plugin}:
        return None
    try:
        return file if [file_kind for file_kind, _, _ in from_path(file)] == [kind] else None
    except (PluginError, OSError):
        return None

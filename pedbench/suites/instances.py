"""Plugins that are passed as objects, as choices of a suite."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pedbench.base import Plugin
from pedbench.errors import PluginError
from pedbench.registry import Registry
from pedbench.registry.instances import kind_of, plugin_file
from pedbench.registry.parameters import check_values
from pedbench.suites.choices import Choice


def plugin_files(plugins: Sequence[Plugin], registry: Registry, folder: Path) -> list[Path]:
    """Return the files from which instances of classes that the registry does not hold are loaded.

    Args:
        folder: Folder for new files.

    Raises:
        PluginError: Classes share a name, or one cannot be written into a file.
    """
    classes = list(dict.fromkeys(type(plugin) for plugin in plugins))
    names = Counter((kind_of(plugin), getattr(plugin, "name", None)) for plugin in classes)
    for (kind, name), count in names.items():
        if count > 1:
            raise PluginError(f"{count} classes of {kind} are named {name!r}: give each a name of its own.")
    found = [plugin_file(plugin, registry, folder) for plugin in classes]
    return [file for file in found if file is not None]


def choice_of(plugin: str | Plugin) -> str | Choice:
    """Return what a suite selects for a name or an instance.

    Raises:
        PluginError: A parameter of the instance cannot be written into a suite.
    """
    if isinstance(plugin, str):
        return plugin
    try:
        check_values(plugin)
    except PluginError as error:
        raise PluginError(f"{plugin.name}: {error}") from None
    # Through JSON, as a suite file has lists where a plugin has tuples; its null is the default.
    params = json.loads(json.dumps(plugin.params))
    return Choice(
        name=plugin.name, params={name: value for name, value in params.items() if value is not None}
    )

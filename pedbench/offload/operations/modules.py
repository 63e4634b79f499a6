"""Modules that the servers of a defense have to load."""

from __future__ import annotations

import sys

from pedbench.base import Defense, Operation
from pedbench.errors import PluginError
from pedbench.host.classes import subclasses
from pedbench.offload.operations.builtin import EncodeImage
from pedbench.registry import Origin


def operation_modules(defense: Defense, origin: Origin) -> set[str]:
    """Return the modules of the operations that a defense's module defines or imports, besides those of every server.

    Raises:
        PluginError: Servers could not import one of them.
    """
    plugin = sys.modules[type(defense).__module__]
    kinds = subclasses(vars(plugin).values(), Operation)
    known = (Operation.__module__, EncodeImage.__module__)
    modules = {kind.__module__ for kind in kinds if kind.__module__ not in known}
    if plugin.__name__ in modules and origin.type == "path":
        raise PluginError(
            f"defense {defense.name} ({origin}) defines operations of its own: servers load them by name, so they "
            "have to lie in an importable module. Move the file to `defenses/` of the checkout, or begin a package "
            "with `pedbench new defense NAME --package`."
        )
    return modules

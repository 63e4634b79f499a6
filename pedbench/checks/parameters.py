"""Parameters of a plugin survive being written into a suite and read again."""

from __future__ import annotations

import json
from dataclasses import replace

from pedbench.checks.rule import BrokenRule
from pedbench.errors import PluginError
from pedbench.registry import PluginSpec, load
from pedbench.registry.constants import undeclared


def check_params(spec: PluginSpec) -> None:
    """Raise BrokenRule unless each parameter keeps its value, and each value in the class is a parameter."""
    plugin = load(spec)
    restored = load(replace(spec, params=json.loads(json.dumps(plugin.params))))
    if restored != plugin:
        raise BrokenRule(f"{plugin!r} is read from JSON as {restored!r}")
    if loose := undeclared(type(plugin)):
        raise BrokenRule(
            f"`{loose[0]}` has no annotation, so it is no parameter: write `{loose[0]}: TYPE = ...`, or `_{loose[0]}` "
            "for a constant"
        )
    for name, value in plugin.params.items():
        other = (
            not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else value
        )
        try:
            changed = load(replace(spec, params={**restored.params, name: other}))
        # The plugin may refuse a value that was made up here.
        except PluginError:
            continue
        if other != value and getattr(changed, name) == value:
            raise BrokenRule(f"the parameter {name!r} is {value!r} even if it is set to {other!r}")

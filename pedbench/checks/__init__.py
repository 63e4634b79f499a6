"""Checks of plugins against the rules of their kind. Each rule yields an `Outcome`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pedbench.base import Plugin
from pedbench.checks.rule import BrokenRule, Outcome, outcome
from pedbench.errors import PluginError
from pedbench.host.scratch import ScratchFolder
from pedbench.registry import PluginSpec, Registry, load
from pedbench.registry.calibrations import check_calibration
from pedbench.registry.constants import check_files, check_properties, undeclared
from pedbench.registry.origins import from_path


def check(spec: PluginSpec, registry: Registry) -> Iterator[Outcome]:
    """Check a configured plugin against the rules of its kind.

    Args:
        registry: The plugins that a calibration may name.

    Raises:
        PluginError: The plugin cannot be built.
    """
    plugin = load(spec)
    yield outcome("parameters survive JSON", lambda: _check_params(spec))
    yield outcome("declared properties", lambda: check_properties(plugin))
    if spec.kind == "attacks":
        yield outcome("declared files", lambda: check_files(plugin))
        yield outcome("names in the calibration", lambda: check_calibration(plugin, registry))
        from pedbench.checks.attacks import check_attack

        skipped = False
        for found in check_attack(plugin):
            skipped |= bool(found.skipped)
            yield found
        if not skipped:
            yield outcome("the guess depends on the view alone", lambda: _check_non_interference(spec))
    elif spec.kind == "defenses":
        from pedbench.checks.defenses import check_defense

        yield from check_defense(plugin, spec.origin)
    elif spec.kind == "probes":
        from pedbench.checks.probes import check_probe

        yield from check_probe(plugin)
    elif spec.kind == "codecs":
        from pedbench.checks.codecs import check_codec

        yield from check_codec(plugin)
    elif spec.kind == "metrics":
        from pedbench.checks.metrics import check_metric

        yield from check_metric(plugin)
    else:
        from pedbench.checks.datasets import check_dataset

        yield from check_dataset(spec)


def broken_rules(plugin: Path | Plugin | type[Plugin]) -> list[str]:
    """List the rules that a plugin breaks. Tests of plugins call this function.

        assert broken_rules(Path("my_attack.py")) == []

    Args:
        plugin: A plugin file, a class, or an instance with parameters that differ from the defaults.

    Returns:
        One sentence for each broken rule; rules that cannot be checked on this machine are left out.

    Raises:
        PluginError: `plugin` is no plugin, or cannot be built.
    """
    with ScratchFolder("plugins") as folder:
        found = check(*_spec(plugin, Path(folder)))
        return [f"{each.rule}: {each.problem}" for each in found if each.problem]


def _spec(plugin: Path | Plugin | type[Plugin], folder: Path) -> tuple[PluginSpec, Registry]:
    from pedbench.registry.instances import kind_of, plugin_file

    if isinstance(plugin, Path):
        kind, name, _ = next(from_path(plugin))
        registry = Registry([plugin])
        return registry.spec(kind, name, {}), registry
    plugin_class = plugin if isinstance(plugin, type) else type(plugin)
    file = plugin_file(plugin_class, Registry(), folder)
    params = {} if isinstance(plugin, type) else json.loads(json.dumps(plugin.params))
    registry = Registry([file] if file else ())
    return registry.spec(kind_of(plugin_class), plugin_class.name, params), registry


def _check_params(spec: PluginSpec) -> None:
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


def _check_non_interference(spec: PluginSpec) -> None:
    from pedbench.checks.non_interference import TwoWorlds, check_noninterference

    with ScratchFolder("check") as folder, TwoWorlds([spec], Path(folder)) as worlds:
        check_noninterference(spec, worlds)

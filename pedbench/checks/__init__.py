"""Checks of plugins against the rules of their kind. Each rule yields an `Outcome`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pedbench.base import Plugin
from pedbench.checks.parameters import check_params
from pedbench.checks.rule import Outcome, outcome
from pedbench.host.scratch import ScratchFolder
from pedbench.registry import PluginSpec, Registry, load
from pedbench.registry.constants import check_properties
from pedbench.registry.origins import from_path


def check(spec: PluginSpec, registry: Registry) -> Iterator[Outcome]:
    """Check a configured plugin against the rules of its kind.

    Args:
        registry: The plugins that a calibration may name.

    Raises:
        PluginError: The plugin cannot be built.
    """
    if spec.kind == "attacks":
        from pedbench.checks.confined import check_confined

        yield from check_confined(spec, registry)
        return
    plugin = load(spec)
    yield outcome("parameters survive JSON", lambda: check_params(spec))
    yield outcome("declared properties", lambda: check_properties(plugin))
    if spec.kind == "defenses":
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

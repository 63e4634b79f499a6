"""`pedbench list`: list plugins and suites."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pedbench.cli import options
from pedbench.errors import PluginError
from pedbench.registry import KINDS, Kind, Registry
from pedbench.registry.origins import Origin


def list_plugins(
    kind: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(KINDS)}, suites; by default all.")
    ] = None,
    long: Annotated[
        bool,
        typer.Option("--long", help="Also version, origin, needs, summary and source; imports the plugins."),
    ] = False,
    plugin: options.Plugins = None,
) -> None:
    """List plugins and suites."""
    if kind is not None and kind not in (*KINDS, "suites"):
        from pedbench.errors import suggestion

        known = (*KINDS, "suites")
        raise ValueError(
            f"there is no kind {kind!r}{suggestion(kind, known)}. Known kinds: {', '.join(known)}."
        )
    registry = Registry(plugin or ())
    for plugin_kind in KINDS:
        if kind in (None, plugin_kind):
            if long:
                _print_long(registry, plugin_kind)
            else:
                origins = registry.origins(plugin_kind).items()
                _print_names(plugin_kind, {name: _note(origin) for name, origin in origins})
    if kind in (None, "suites"):
        folder = Path(__file__).parents[1] / "suites"
        _print_names("suites", {file.stem: "" for file in sorted(folder.glob("*.toml"))})


def _note(origin: Origin) -> str:
    return "" if origin.type == "in-tree" else f"  ({origin})"


def _print_names(kind: str, notes: dict[str, str]) -> None:
    print(kind)
    for name, note in notes.items():
        print(f"  {name}{note}")


def _print_long(registry: Registry, kind: Kind) -> None:
    from rich.console import Console
    from rich.table import Table

    heading, fact = _FACTS[kind]
    table = Table(title=kind, title_justify="left", box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("version")
    table.add_column("origin", overflow="fold")
    table.add_column(heading)
    table.add_column("summary", ratio=3)
    table.add_column("source", ratio=2)
    broken: list[Exception] = []
    for name, origin in registry.origins(kind).items():
        source = "in-tree" if origin.type == "in-tree" else str(origin)
        try:
            plugin = _plugin(registry, kind, name)
            table.add_row(name, str(plugin.version), source, fact(plugin), _summary(plugin), plugin.cite)
        except (PluginError, AttributeError) as reason:
            broken.append(reason)
            table.add_row(name, "", source, "", "broken, see below", "")
    if table.row_count:
        # A file or pipe has no width.
        Console(width=None if sys.stdout.isatty() else 200, markup=False, highlight=False).print(table)
    for error in broken:
        traceback.print_exception(error, file=sys.stdout)


def _plugin(registry: Registry, kind: Kind, name: str) -> Any:
    if kind == "attacks":
        from pedbench.adversary.isolation.facts import describe

        return describe(registry.spec(kind, name, {}))
    return registry.plugin_class(kind, name)


def _summary(plugin: Any) -> str:
    return plugin.summary() if callable(plugin.summary) else str(plugin.summary)


def _attack(attack: Any) -> str:
    floor = " (floor)" if attack.floor else ""
    return f"{', '.join(sorted(attack.needs))}{floor}"


_FACTS: dict[Kind, tuple[str, Callable[[Any], str]]] = {
    "attacks": ("needs", _attack),
    "defenses": ("servers get", lambda defense: str(defense.disclosure)),
    "datasets": ("objects", lambda dataset: "annotated" if dataset.annotated is not False else "none"),
    "metrics": ("more private", lambda metric: str(metric.better)),
    "probes": ("reads", lambda probe: str(probe.reads)),
    "codecs": ("takes", lambda codec: f"{codec.takes}{', exact' if codec.exact else ''}"),
}
"""Heading and text of the column that is specific to each kind of plugin."""

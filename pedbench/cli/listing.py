"""`pedbench list`: list plugins and suites."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from pedbench.cli import options
from pedbench.cli.options import one_of, suite_names
from pedbench.errors import PluginError
from pedbench.registry import KINDS, Kind, Registry
from pedbench.registry.origins import Origin


def list_plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join(KINDS)}, suites; by default all.",
            autocompletion=one_of(*KINDS, "suites"),
        ),
    ] = None,
    long: Annotated[
        bool,
        typer.Option("--long", help="Also version, origin, needs, summary and source; imports the plugins."),
    ] = False,
    plugin: options.Plugins = None,
    as_json: options.Json = False,
) -> None:
    """List plugins and suites."""
    if kind is not None and kind not in (*KINDS, "suites"):
        from pedbench.errors import suggestion

        known = (*KINDS, "suites")
        raise ValueError(
            f"there is no kind {kind!r}{suggestion(kind, known)}. Known kinds: {', '.join(known)}."
        )
    registry = Registry(plugin or ())
    chosen = [each for each in KINDS if kind in (None, each)]
    suites = suite_names() if kind in (None, "suites") else []
    if as_json:
        found: dict[str, list[dict[str, Any]]] = {
            each: list(_entries(registry, each, long)) for each in chosen
        }
        if suites:
            found["suites"] = [{"name": name} for name in suites]
        options.print_json(**found)
        return
    for plugin_kind in chosen:
        if long:
            _print_long(registry, plugin_kind)
        else:
            origins = registry.origins(plugin_kind).items()
            _print_names(plugin_kind, {name: _note(origin) for name, origin in origins})
    if suites:
        _print_names("suites", dict.fromkeys(suites, ""))


def _note(origin: Origin) -> str:
    return "" if origin.type == "in-tree" else f"  ({origin})"


def _entries(registry: Registry, kind: Kind, long: bool) -> Iterator[dict[str, Any]]:
    """Yield what JSON says of each plugin."""
    for name, origin in registry.origins(kind).items():
        entry: dict[str, Any] = {"name": name, "origin": _origin(origin)}
        if long:
            try:
                entry |= _facts(registry, kind, name)
            except (PluginError, AttributeError) as error:
                entry["error"] = str(error)
        yield entry


def _origin(origin: Origin) -> str:
    return "in-tree" if origin.type == "in-tree" else str(origin)


def _facts(registry: Registry, kind: Kind, name: str) -> dict[str, Any]:
    """Return what importing a plugin tells, in the order of the columns.

    Raises:
        PluginError: The plugin is broken.
        AttributeError: It lacks a constant.
    """
    heading, fact = _FACTS[kind]
    plugin = _plugin(registry, kind, name)
    return {
        "version": plugin.version,
        heading.replace(" ", "_"): fact(plugin),
        "summary": _summary(plugin),
        "source": plugin.cite,
    }


def _print_names(kind: str, notes: dict[str, str]) -> None:
    print(kind)
    for name, note in notes.items():
        print(f"  {name}{note}")


def _print_long(registry: Registry, kind: Kind) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=kind, title_justify="left", box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("version")
    table.add_column("origin", overflow="fold")
    table.add_column(_FACTS[kind][0])
    table.add_column("summary", ratio=3)
    table.add_column("source", ratio=2)
    broken: list[Exception] = []
    for name, origin in registry.origins(kind).items():
        try:
            version, *facts = _facts(registry, kind, name).values()
            table.add_row(name, str(version), _origin(origin), *facts)
        except (PluginError, AttributeError) as reason:
            broken.append(reason)
            table.add_row(name, "", _origin(origin), "", "broken, see below", "")
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

"""Plugins that have a part in a cell, and changes of their code since it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pedbench.adversary.isolation.facts import AttackFacts
from pedbench.base import Plugin
from pedbench.registry import source_hash
from pedbench.results.records import Record
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan, Plan, Planned


def readers(of: DefensePlan, cell: Cell) -> list[Planned]:
    """The attacks and probes whose numbers a cell is about; an attack comes first."""
    read = [claims for claims in of.claims if claims.cell == cell]
    attacks = [planned for planned, each in of.privacy if each == cell]
    attacks += [claims.attack for claims in read if claims.attack is not None]
    return [*attacks, *(claims.probe for claims in read)]


def sources(plan: Plan, of: DefensePlan, cell: Cell) -> dict[str, str]:
    """`registry.source_hash` of each plugin that has a part in a cell, by name."""
    return {plugin.name: code_of(plugin) for plugin in _plugins(plan, of, cell)}


def code_of(plugin: Plugin | AttackFacts) -> str:
    """Return the hash of a plugin's code."""
    return plugin.source if isinstance(plugin, AttackFacts) else source_hash(type(plugin))


def _in_tree(plugin: Plugin | AttackFacts) -> bool:
    if isinstance(plugin, AttackFacts):
        return plugin.origin.type == "in-tree"
    return type(plugin).__module__.startswith("pedbench.")


def _plugins(plan: Plan, of: DefensePlan, cell: Cell) -> Iterator[Plugin | AttackFacts]:
    yield plan.dataset
    yield of.defense
    yield from (plugin for planned in readers(of, cell) for plugin in planned.plugins)
    if cell.attack is not None and cell.probe is None:
        yield from (planned.plugin for planned in plan.floors)
        yield from plan.metrics


def changed(plan: Plan, records: Mapping[str, Record]) -> dict[str, set[str]]:
    """Plugins from outside of pedbench whose code is another than when cells were measured.

    Those in the tree are left out: tests see to it that their versions are raised, which makes other cells.

    Returns:
        By name of the plugin the ids of cells.
    """
    found: dict[str, set[str]] = {}
    hashes: dict[str, str] = {}
    for of in plan.defenses:
        for cell in of.cells():
            record = records.get(cell.cell_id)
            known = record.provenance.get("sources", {}) if record else {}
            for plugin in _plugins(plan, of, cell):
                if plugin.name in known and not _in_tree(plugin):
                    code = hashes.setdefault(plugin.name, code_of(plugin))
                    if code != known[plugin.name]:
                        found.setdefault(plugin.name, set()).add(cell.cell_id)
    return found

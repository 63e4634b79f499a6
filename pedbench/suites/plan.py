"""The plan of what a run measures: plugins, pictures and cells, defense by defense."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedbench.adversary.isolation.facts import AttackFacts
from pedbench.base import Dataset, Defense, Metric, Plugin
from pedbench.models.sam.family import Family
from pedbench.network.links import Link
from pedbench.registry import PluginSpec
from pedbench.suites.cell import Cell, CoalitionRule, Lie, PluginIdentity
from pedbench.suites.schema import ResolvedSuite, UtilityChoice

DTYPE = "float32"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A configured plugin and how another process gets the same one."""

    plugin: Any
    spec: PluginSpec
    limit: int | None = None
    """Number of first pictures that an attack guesses; all without it."""
    slow: bool = False
    """Whether an attack guesses only from the coalitions that fast attacks found worst."""
    read_out: Planned | None = None
    """The attack whose readings of the payload an attack completes."""

    @property
    def label(self) -> str:
        """The plugin's label; of a chain with that of the read-out."""
        label: str = self.plugin.label
        return label if self.read_out is None else f"{label} after {self.read_out.label}"

    @property
    def identity(self) -> PluginIdentity:
        plugin: Plugin = self.plugin
        return PluginIdentity(name=plugin.name, version=plugin.version, params=plugin.params)

    @property
    def plugins(self) -> tuple[Any, ...]:
        """The plugin, and that of the read-out of a chain."""
        return (self.plugin,) if self.read_out is None else (self.plugin, self.read_out.plugin)

    @property
    def needs(self) -> frozenset[str]:
        """Kinds of content that an attack, or the first of a chain, can use."""
        needs: frozenset[str] = (self.read_out or self).plugin.needs
        return needs

    @property
    def requests(self) -> int:
        """Number of requests that an attack, or the first of a chain, asks for."""
        requests: int = (self.read_out or self).plugin.requests
        return requests


@dataclass(frozen=True, kw_only=True)
class ClaimsPlan:
    """The claims that one probe reads of some pictures under one coalition rule.

    Attributes:
        attack: Whose guess is read; None for what was received.
        images: Ids of the pictures.
    """

    probe: Planned
    attack: Planned | None
    rule: CoalitionRule
    cell: Cell
    images: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class LiePlan:
    """One pass a picture in which servers lie, and a cell per protocol."""

    lie: Lie
    cells: tuple[tuple[UtilityChoice, Cell], ...]


@dataclass(frozen=True, kw_only=True)
class DefensePlan:
    """One defense with the cells that are measured for it.

    Attributes:
        images: Indices into the dataset of the pictures that it is measured on.
        utility: One cell per protocol.
        geometry: One cell per coalition rule: what was received, without any attack.
        privacy: One cell per coalition rule and attack or chain of attacks.
        claims: One per coalition rule, probe, and what it reads.
        latency: One cell per link; none where the suite does not time this defense.
        lies: Under which utility is measured, too, each in passes of its own.
        weights: sha256 of the weights that enter its cells' identity, by the network's name.
    """

    planned: Planned
    images: tuple[int, ...]
    utility: tuple[tuple[UtilityChoice, Cell], ...]
    geometry: tuple[Cell, ...]
    privacy: tuple[tuple[Planned, Cell], ...]
    claims: tuple[ClaimsPlan, ...]
    latency: tuple[tuple[Link, Cell], ...]
    lies: tuple[LiePlan, ...]
    weights: dict[str, str]

    @property
    def defense(self) -> Defense:
        defense: Defense = self.planned.plugin
        return defense

    def cells(self) -> Iterator[Cell]:
        """Yield all cells in the order of the tables."""
        yield from (cell for _, cell in self.utility)
        yield from self.geometry
        yield from (cell for _, cell in self.privacy)
        yield from (claims.cell for claims in self.claims)
        yield from (cell for _, cell in self.latency)
        yield from (cell for lies in self.lies for _, cell in lies.cells)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a run measures."""

    suite: ResolvedSuite
    dataset: Dataset
    selection: tuple[int, ...]
    family: Family
    metrics: tuple[Metric, ...]
    attacks: tuple[Planned, ...]
    probes: tuple[Planned, ...]
    defenses: tuple[DefensePlan, ...]
    gallery: Dataset | None = None
    runs: tuple[Path, ...] = ()
    """Folders of this and other runs, which keep pictures."""

    @property
    def truths(self) -> tuple[Path, ...]:
        """Files and folders with some of the truth, and the code of the datasets."""
        datasets = [each for each in (self.dataset, self.gallery) if each is not None]
        code = (getattr(sys.modules[type(each).__module__], "__file__", None) for each in datasets)
        kept = (path for each in datasets for path in each.locations)
        return (*kept, *map(Path, filter(None, code)), *self.runs)

    @property
    def floors(self) -> tuple[Planned, ...]:
        """The attacks without a learned prior, to which leakage and advantage of all relate."""
        return tuple(planned for planned in self.attacks if planned.plugin.floor)

    @property
    def scouts(self) -> tuple[Planned, ...]:
        """The fast attacks, which guess from every coalition and so find those that slow ones guess from."""
        return tuple(planned for planned in self.attacks if not planned.slow)

    def cells(self) -> list[Cell]:
        return [cell for defense in self.defenses for cell in defense.cells()]


def draws(attack: AttackFacts, suite: ResolvedSuite) -> int:
    """Return how often an attack guesses each picture: floors once: all others relate to the same."""
    return suite.seeds if attack.stochastic and not attack.floor else 1

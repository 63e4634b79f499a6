"""From a resolved suite to the cells of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pedbench.base import Attack, Dataset, Defense, Metric, Plugin
from pedbench.errors import PluginError
from pedbench.models.hub.folders import model_files, weight_digests
from pedbench.models.sam.family import Family
from pedbench.network.links import Link, find_link
from pedbench.offload.wire.codec_labels import find_codec
from pedbench.registry import PluginSpec, Registry
from pedbench.suites.cell import Cell, CoalitionRule, Lie, PluginIdentity, selection_hash
from pedbench.suites.schema import (
    Choice,
    CoalitionChoice,
    DefenseChoice,
    ProbeChoice,
    ResolvedSuite,
    UtilityChoice,
)

DTYPE = "float32"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A configured plugin and how another process gets the same one."""

    plugin: Any
    spec: PluginSpec
    limit: int | None = None
    """Of attacks: how many of the first pictures they guess; all without it."""
    coalitions: int | None = None
    """Of attacks: from how many coalitions of a rule, the largest first; all without it."""

    @property
    def identity(self) -> PluginIdentity:
        plugin: Plugin = self.plugin
        return PluginIdentity(name=plugin.name, version=plugin.version, params=plugin.params)

    def coalitions_of(self, rule: CoalitionRule) -> int | None:
        """How many of a rule's coalitions an attack guesses from; None for all."""
        fewer = self.coalitions is not None and self.coalitions < rule.m
        return self.coalitions if fewer else None


@dataclass(frozen=True, kw_only=True)
class ClaimsPlan:
    """What one probe reads of some pictures under one coalition rule.

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
        privacy: One cell per coalition rule and attack.
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
        """All cells in the order of the tables."""
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

    @property
    def floors(self) -> tuple[Planned, ...]:
        """The attacks without a learned prior, to which leakage and advantage of all relate."""
        return tuple(planned for planned in self.attacks if planned.plugin.floor)

    def cells(self) -> list[Cell]:
        return [cell for defense in self.defenses for cell in defense.cells()]


def make_plan(suite: ResolvedSuite, registry: Registry, family: Family) -> Plan:
    """Open the dataset, build the plugins and list the cells.

    Raises:
        PluginError: A plugin is unknown or broken, a parameter is wrong, or an attack asks to read the truth.
        DatasetError: The dataset cannot be read.
        CheckpointError: Weights are missing.
        ValueError: The dataset holds too few readable pictures, or no attack is a floor.
    """
    dataset: Dataset = registry.create("datasets", suite.dataset.name, suite.dataset.params)
    ids = list(dataset.ids()[: suite.dataset.limit])
    unread = [f"\nleft out: {id}: {reason}" for id, reason in dataset.left_out.items()]
    if not ids:
        raise ValueError("".join([f"dataset {suite.dataset.name} holds no readable picture.", *unread]))
    if suite.dataset.limit is not None and len(ids) < suite.dataset.limit:
        sentence = (
            f"dataset {suite.dataset.name} holds {len(ids)} readable pictures, fewer than the limit of "
            f"{suite.dataset.limit}. Lower the limit, or leave it out to take all."
        )
        raise ValueError("".join([sentence, *unread]))
    base = Cell(
        kind="utility",
        dataset=dataset.name,
        revision=dataset.revision,
        selection=selection_hash(ids),
        model=family.name,
        weights="",
        defense=PluginIdentity(name="", version=0),
        seed=suite.seed,
    )
    gallery, known = _gallery(suite, dataset, ids, registry)
    attacks = tuple(
        replace(_planned("attacks", choice, registry), limit=choice.limit, coalitions=choice.coalitions)
        for choice in suite.attacks
    )
    keep_apart(attacks, dataset.locations, f"dataset {dataset.name} keeps the truth")
    floors = [planned for planned in attacks if planned.plugin.floor]
    for planned in floors:
        if planned.limit is not None or planned.coalitions is not None:
            raise ValueError(
                f"{planned.plugin.name} is a floor, to which all attacks relate on every view: leave its limit and "
                "coalitions out."
            )
    if attacks and not any("nothing" in planned.plugin.needs for planned in floors):
        raise ValueError(
            "leakage relates to the best floor that received nothing, and none of the attacks is such a floor: "
            f"{', '.join(planned.plugin.label for planned in attacks)}. Add one, e.g. mean_colour."
        )
    probes = tuple((choice, _planned("probes", choice, registry)) for choice in suite.probes)
    defenses = tuple(
        _defense_plan(choice, base, ids, suite, attacks, known, registry, family) for choice in suite.defenses
    )
    return Plan(
        suite=suite,
        dataset=dataset,
        selection=tuple(range(len(ids))),
        family=family,
        metrics=tuple(registry.create("metrics", choice.name, choice.params) for choice in suite.metrics),
        attacks=attacks,
        probes=tuple(planned for _, planned in probes),
        defenses=tuple(replace(each, claims=_claims(each, probes, attacks, ids)) for each in defenses),
        gallery=gallery,
    )


def keep_apart(attacks: Sequence[Planned], truths: Iterable[Path], whose: str) -> None:
    """Refuse attacks that ask to read where the truth lies.

    Args:
        truths: Files and folders that hold it, or some of it.
        whose: Says in a sentence who keeps it there.

    Raises:
        PluginError: An attack does.
    """
    places = [path.resolve() for path in truths]
    for planned in attacks:
        for asked in (path.resolve() for path in planned.plugin.files):
            for place in places:
                if asked.is_relative_to(place) or place.is_relative_to(asked):
                    raise PluginError(
                        f"attack {planned.plugin.name} asks to read {asked}, where {whose}: no number of it would mean "
                        "anything."
                    )


def _gallery(
    suite: ResolvedSuite, dataset: Dataset, ids: Sequence[str], registry: Registry
) -> tuple[Dataset | None, str | None]:
    """The dataset of the gallery and the hash of its pictures; None where the suite has none."""
    if suite.gallery is None:
        return None, None
    gallery: Dataset = registry.create("datasets", suite.gallery.name, suite.gallery.params)
    known = list(gallery.ids()[: suite.gallery.limit])
    absent = [id for id in ids if id not in set(known)]
    if (gallery.name, gallery.revision) != (dataset.name, dataset.revision) or absent:
        raise ValueError(
            f"the gallery must hold the pictures that are searched for in it: it has {len(known)} of "
            f"{gallery.name}, revision {gallery.revision}; the dataset is {dataset.name}, revision "
            f"{dataset.revision}, and {len(absent)} of its {len(ids)} pictures are not among them."
        )
    model = suite.gallery.model
    compared = [model, *weight_digests(model_files(model)).values()] if model else []
    return gallery, selection_hash([gallery.revision, *known, *compared])


def _planned(kind: Any, choice: Choice, registry: Registry) -> Planned:
    spec = registry.spec(kind, choice.name, choice.params)
    return Planned(plugin=registry.create(kind, choice.name, choice.params), spec=spec)


def _defense_plan(
    choice: DefenseChoice,
    base: Cell,
    ids: Sequence[str],
    suite: ResolvedSuite,
    attacks: Sequence[Planned],
    gallery: str | None,
    registry: Registry,
    family: Family,
) -> DefensePlan:
    planned = _planned("defenses", choice, registry)
    weights = family.digests(planned.plugin.networks)
    digest = hashlib.sha256("".join(sorted(weights.values())).encode()).hexdigest()
    measured = ids[: choice.limit]
    codecs = {label: find_codec(label).version for label in planned.plugin.codecs}
    base = replace(
        base,
        defense=planned.identity,
        weights=digest,
        selection=selection_hash(measured),
        codecs=codecs or None,
    )
    floors = selection_hash(
        sorted(f"{each.plugin.label} {each.plugin.version}" for each in attacks if each.plugin.floor)
    )
    rules = _rules(suite.coalitions, planned.plugin.servers) if choice.privacy else []
    devices = suite.latency.devices.model_dump() if suite.latency.devices else None
    dtype = suite.latency.dtype or DTYPE
    protocols = {f"{utility.protocol}: {', '.join(utility.prompts)}": utility for utility in suite.utility}
    return DefensePlan(
        planned=planned,
        images=tuple(range(len(measured))),
        utility=tuple((utility, replace(base, protocol=protocol)) for protocol, utility in protocols.items()),
        geometry=tuple(replace(base, kind="privacy", coalition=rule, gallery=gallery) for rule in rules),
        privacy=tuple(
            (
                attack,
                replace(
                    base,
                    kind="privacy",
                    selection=selection_hash(measured[: attack.limit]),
                    weights=_weights(base, attack.plugin),
                    coalition=rule,
                    coalitions=attack.coalitions_of(rule),
                    attack=attack.identity,
                    requests=attack.plugin.requests,
                    seeds=draws(attack.plugin, suite) if draws(attack.plugin, suite) > 1 else None,
                    floors=floors,
                    gallery=gallery,
                ),
            )
            for rule in rules
            for attack in attacks
        ),
        claims=(),
        latency=tuple(
            (
                find_link(name),
                replace(base, kind="latency", link=name, dtype=dtype, devices=devices),
            )
            for name in dict.fromkeys(suite.latency.links)
            if choice.latency
        ),
        lies=tuple(
            LiePlan(
                lie=lie,
                cells=tuple(
                    (utility, replace(base, kind="integrity", protocol=protocol, lie=lie))
                    for protocol, utility in protocols.items()
                ),
            )
            for lie in _lies(choice, planned.plugin.servers)
        ),
        weights=weights,
    )


def _lies(choice: DefenseChoice, servers: int) -> Iterator[Lie]:
    for each in choice.lies or ():
        yield Lie(servers=servers, **each.model_dump())


def _weights(base: Cell, plugin: Plugin) -> str:
    """sha256 of the weights that play a part: the cell's so far, and those of an attack or probe if it has any."""
    digests = weight_digests(plugin.files)
    if not digests:
        return base.weights
    return hashlib.sha256("".join([base.weights, *sorted(digests.values())]).encode()).hexdigest()


def _rules(choices: Sequence[CoalitionChoice], servers: int) -> list[CoalitionRule]:
    """Each rule once; of a sweep only what the servers are enough for, and one server in any case."""
    rules = []
    for choice in choices:
        if isinstance(choice.c, list):
            rules += [CoalitionRule(c=c, m=choice.m) for c in choice.c if c <= max(1, servers)]
        else:
            rules.append(CoalitionRule(c=choice.c, m=choice.m))
    return list(dict.fromkeys(rules))


def _claims(
    of: DefensePlan,
    probes: Sequence[tuple[ProbeChoice, Planned]],
    attacks: Sequence[Planned],
    ids: Sequence[str],
) -> tuple[ClaimsPlan, ...]:
    """Under every coalition rule of the defense: what was received, and the guesses of the attacks that are named."""
    found: dict[str, ClaimsPlan] = {}
    for received in of.geometry:
        rule = received.coalition
        if rule is None:
            continue
        for choice, probe in probes:
            seen = [ids[index] for index in of.images][: choice.limit]
            cell = replace(
                received,
                weights=_weights(received, probe.plugin),
                probe=probe.identity,
                source="tiles",
                requests=1,
                selection=selection_hash(seen),
                gallery=None,
            )
            named = [planned for planned in attacks if planned.plugin.name in choice.attacks]
            cells: list[tuple[Planned | None, Cell]] = [(None, cell)]
            cells += [
                (
                    attack,
                    replace(
                        cell,
                        weights=_weights(cell, attack.plugin),
                        source="guess",
                        coalitions=attack.coalitions_of(rule),
                        attack=attack.identity,
                        requests=attack.plugin.requests,
                        selection=selection_hash(seen[: attack.limit]),
                    ),
                )
                for attack in named
            ]
            for attack, each in cells:
                read = frozenset(seen[: attack.limit] if attack is not None else seen)
                claims = ClaimsPlan(probe=probe, attack=attack, rule=rule, cell=each, images=read)
                found.setdefault(each.cell_id, claims)
    return tuple(found.values())


def draws(attack: Attack, suite: ResolvedSuite) -> int:
    """How often an attack guesses each picture. Floors once: all others relate to the same."""
    return suite.seeds if attack.stochastic and not attack.floor else 1

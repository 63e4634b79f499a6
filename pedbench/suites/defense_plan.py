"""Cells of one defense of a suite."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pedbench.adversary.isolation.facts import create
from pedbench.base import Plugin
from pedbench.models.hub.folders import weight_digests
from pedbench.models.sam.family import Family
from pedbench.network.links import find_link
from pedbench.offload.wire.codec_labels import find_codec
from pedbench.registry import Registry
from pedbench.registry.calibrations import check_calibration
from pedbench.registry.constants import check_properties
from pedbench.suites.cell import Cell, CoalitionRule, Lie, selection_hash
from pedbench.suites.choices import Choice, DefenseChoice, ProbeChoice
from pedbench.suites.plan import DTYPE, ClaimsPlan, DefensePlan, LiePlan, Planned, draws
from pedbench.suites.schema import CoalitionChoice, ResolvedSuite


def configured(kind: Any, choice: Choice, registry: Registry) -> Planned:
    spec = registry.spec(kind, choice.name, choice.params)
    plugin = create(registry, kind, choice.name, choice.params)
    if kind == "attacks":
        check_calibration(plugin, registry)
    else:
        check_properties(plugin)
    return Planned(plugin=plugin, spec=spec)


def plan_defense(
    choice: DefenseChoice,
    base: Cell,
    ids: Sequence[str],
    suite: ResolvedSuite,
    attacks: Sequence[Planned],
    gallery: str | None,
    registry: Registry,
    family: Family,
    metrics: Sequence[Plugin],
) -> DefensePlan:
    planned = configured("defenses", choice, registry)
    codecs = {label: find_codec(label) for label in planned.plugin.codecs}
    read = [file for plugin in (planned.plugin, *codecs.values()) for file in plugin.files]
    weights = family.digests(planned.plugin.networks) | weight_digests(read)
    digest = hashlib.sha256("".join(sorted(weights.values())).encode()).hexdigest()
    measured = ids[: choice.limit]
    base = replace(
        base,
        defense=planned.identity,
        weights=digest,
        selection=selection_hash(measured),
        codecs={label: codec.version for label, codec in codecs.items()} or None,
    )
    floors = _names(each for each in attacks if each.plugin.floor)
    scouts = _names(each for each in attacks if not each.slow)
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
                    weights=_weights(base, *attack.plugins, *metrics),
                    coalition=rule,
                    attack=attack.identity,
                    read_out=attack.read_out.identity if attack.read_out else None,
                    scouts=scouts if attack.slow else None,
                    requests=attack.requests,
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
            (find_link(name), replace(base, kind="latency", link=name, dtype=dtype, devices=devices))
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


def _rules(choices: Sequence[CoalitionChoice], servers: int) -> list[CoalitionRule]:
    """List each rule once; of a sweep only sizes that the servers allow, and one server in any case."""
    rules = []
    for choice in choices:
        if isinstance(choice.c, list):
            rules += [CoalitionRule(c=c, m=choice.m) for c in choice.c if c <= max(1, servers)]
        else:
            rules.append(CoalitionRule(c=choice.c, m=choice.m))
    return list(dict.fromkeys(rules))


def plan_claims(
    plan: DefensePlan,
    probes: Sequence[tuple[ProbeChoice, Planned]],
    attacks: Sequence[Planned],
    ids: Sequence[str],
) -> tuple[ClaimsPlan, ...]:
    """Under every coalition rule of the defense: what was received, and the guesses of the attacks that are named."""
    found: dict[str, ClaimsPlan] = {}
    for received in plan.geometry:
        rule = received.coalition
        if rule is None:
            continue
        for choice, probe in probes:
            seen = [ids[index] for index in plan.images][: choice.limit]
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
                        weights=_weights(cell, *attack.plugins),
                        source="guess",
                        attack=attack.identity,
                        read_out=attack.read_out.identity if attack.read_out else None,
                        # Reading guesses takes long, too.
                        scouts=_names(each for each in attacks if not each.slow),
                        requests=attack.requests,
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


def _weights(base: Cell, *plugins: Plugin) -> str:
    """Return the sha256 of all weights that play a part: the cell's so far, and those of attacks or a probe."""
    digests = {found for each in plugins for found in weight_digests(each.files).items()}
    if not digests:
        return base.weights
    return hashlib.sha256(
        "".join([base.weights, *sorted(digest for _, digest in digests)]).encode()
    ).hexdigest()


def _names(attacks: Iterable[Planned]) -> str:
    return selection_hash(sorted(f"{each.label} {each.plugin.version}" for each in attacks))

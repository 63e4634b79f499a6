"""Attacks of the explorer: each guess in a confined process of its own, which can be ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.base import Claim, Metric
from pedbench.explore.questions import FLOORS
from pedbench.explore.trial import Trial
from pedbench.measure.probe_reader import Reader
from pedbench.measure.seeds import guess_seed
from pedbench.privacy.claims import FOUND, held_against, planted
from pedbench.privacy.pieces import Piece, pieces
from pedbench.privacy.scoring import measure
from pedbench.registry import Registry
from pedbench.suites.choices import AttackChoice, Choice
from pedbench.suites.defense_plan import configured
from pedbench.suites.files import load_suite
from pedbench.suites.plan import Planned
from pedbench.suites.planning import keep_apart
from pedbench.types import Picture
from pedbench.validity.flags import offers


class Cancelled(Exception):
    """A guess that the person ended."""


class Switch:
    """Ends a guess, before it begins or under way."""

    def __init__(self) -> None:
        self.off = False
        self._attacks: ConfinedAttacks | None = None

    def watch(self, attacks: ConfinedAttacks) -> None:
        """Name the attacks to end."""
        self._attacks = attacks
        if self.off:
            attacks.close()

    def turn_off(self) -> None:
        """End the guess."""
        self.off = True
        if self._attacks is not None:
            self._attacks.close()


@dataclass(frozen=True, kw_only=True)
class Guess:
    """An attack's guess from a view, and how near it comes.

    Attributes:
        picture: (H, W, 3) in [0, 1], with what was received exactly pasted over it.
        distances: Column of a metric -> region ("hidden", "whole") -> value.
        floor: Likewise for the best of the floors in each column and region.
        seconds: How long the attack took.
    """

    label: str
    picture: Picture
    distances: Mapping[str, Mapping[str, float]]
    floor: Mapping[str, Mapping[str, float]]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Words:
    """Words that were read.

    Attributes:
        read: All that the probe claims.
        known: How many words the scene is known to hold; None where that is unknown.
        found: How many of these were read.
    """

    read: tuple[str, ...]
    known: int | None
    found: int


class Attackers:
    """Attacks, metrics and the probe for words. One thread at a time may use them.

    Args:
        device: Where models compute.
    """

    def __init__(self, registry: Registry, device: str = "cpu") -> None:
        self.registry, self.device = registry, device
        self.metrics: list[Metric] = [
            registry.create("metrics", choice.name, choice.params) for choice in load_suite("mini").metrics
        ]
        self._reader: Reader | None = None
        self._switches: set[Switch] = set()

    def close(self) -> None:
        """End the guesses under way."""
        for switch in list(self._switches):
            switch.turn_off()

    def prepare(self) -> None:
        """Load the metrics, and start the process that attacks are forked from."""
        for metric in self.metrics:
            metric.prepare(self.device)
        for name in FLOORS:
            configured("attacks", AttackChoice(name=name), self.registry)

    def planned(self, attack: Choice) -> Planned:
        """Return an attack with what it says of itself.

        Raises:
            PluginError: It is unknown or broken, or a parameter is wrong.
        """
        return configured("attacks", AttackChoice(name=attack.name, params=attack.params), self.registry)

    def guess(self, trial: Trial, attack: Choice, coalition: Sequence[int], switch: Switch) -> Guess:
        """Let an attack guess the frame from what a coalition holds, and compare the guess with the frame.

        Raises:
            ValueError: The attack is broken, or can say nothing about this defense or this view.
            AttackFailure: It failed.
            Cancelled: The switch was turned off.
        """
        self._switches.add(switch)
        try:
            return self._guess(trial, attack, coalition, switch)
        finally:
            self._switches.discard(switch)

    def _guess(self, trial: Trial, attack: Choice, coalition: Sequence[int], switch: Switch) -> Guess:
        chosen = self.planned(attack)
        floors = [self.planned(Choice(name=name)) for name in FLOORS if name != attack.name]
        pictures = {planned.label: self._picture(trial, planned, coalition, switch) for planned in floors}
        began = time.monotonic()
        guessed = self._picture(trial, chosen, coalition, switch)
        seconds = time.monotonic() - began
        pictures[chosen.label] = guessed
        visible = trial.pool(coalition, chosen.requests).visible
        measured = measure(trial.frame, visible, pictures, self.metrics)
        best = {
            metric.column: _best(metric, [measured[metric.column][each.label] for each in floors])
            for metric in self.metrics
        }
        return Guess(
            label=chosen.label,
            picture=np.where(visible[..., None], trial.frame, guessed).astype(np.float32),
            distances={metric.column: measured[metric.column][chosen.label] for metric in self.metrics},
            floor=best,
            seconds=seconds,
        )

    def _picture(self, trial: Trial, planned: Planned, coalition: Sequence[int], switch: Switch) -> Picture:
        if switch.off:
            raise Cancelled
        attack, plan = planned.plugin, trial.bench.plan
        if attack.hosted is not None:
            raise ValueError(
                f"{attack.label} sends pictures to another host, which the explorer never does: run it in a suite with "
                "allow_upload = true."
            )
        pooled = trial.pool(coalition, planned.requests)
        view = pooled.view
        if trial.plan.defense.disclosure != "decoy" and (reason := attack.applies(view.description)):
            raise ValueError(f"{attack.label} says nothing about {trial.plan.defense.label}: {reason}")
        if not attack.needs & offers(view):
            raise ValueError(
                f"{attack.label} needs {' or '.join(sorted(attack.needs))}, and these servers received none of it."
            )
        keep_apart([planned], plan.truths, "the pictures lie")
        footprint = np.packbits(pooled.footprint).tobytes()
        seed = guess_seed(plan.suite.seed, trial.frame.tobytes(), footprint, planned.label)
        with ConfinedAttacks(
            [planned.spec],
            device=self.device,
            readable=[*attack.files, *plan.family.files()],
            closed=plan.truths,
        ) as attacks:
            switch.watch(attacks)
            try:
                return attacks.guess(planned.spec, [view_to_bytes(view)], [seed]).pictures[0]
            except AttackFailure:
                if switch.off:
                    raise Cancelled from None
                raise

    def words(self, trial: Trial, coalition: Sequence[int], guess: Guess | None) -> Words:
        """Read words in what a coalition holds, and in a guess.

        Raises:
            ValueError: No probe reads words on this machine; the message says what to do.
        """
        if self._reader is None:
            self._reader = Reader(self.registry.create("probes", "ocr", {}), self.device)
        if self._reader.unavailable:
            raise ValueError(self._reader.unavailable)
        view = trial.pool(coalition).view
        size = (trial.frame.shape[0], trial.frame.shape[1])
        found = list(pieces(view))
        if guess is not None:
            found.append(Piece(picture=guess.picture, top=0, left=0))
        claims: list[Claim] = [claim for piece in found for claim in self._reader.read(piece, size)]
        secrets = planted(trial.sample, "text", size)
        known = len(secrets) if trial.sample.instances or secrets else None
        return Words(
            read=tuple(dict.fromkeys(claim.content for claim in claims)),
            known=known,
            found=sum(held_against(secret, claims)[FOUND["text"]] > 0 for secret in secrets.values()),
        )


def _best(metric: Metric, values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return by region the value that is nearest to the truth."""
    nearest = min if metric.better == "higher" else max
    regions = set().union(*values)
    return {region: nearest(each[region] for each in values if region in each) for region in regions}

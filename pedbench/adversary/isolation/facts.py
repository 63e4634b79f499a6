"""Attacks as data: what a run needs to know of them is read in a confined process, so that it imports none of them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.base import Attack, ReadOutAttack
from pedbench.base.attack import Calibration, Family, Hosted, Need
from pedbench.errors import MissingWeightsError, PluginError, plugin_line
from pedbench.registry import PluginSpec, Registry, file_hash, load
from pedbench.registry.constants import check_files, check_properties
from pedbench.registry.origins import Kind, Origin, source_file
from pedbench.types import Prior


@dataclass(frozen=True, kw_only=True)
class AttackFacts:
    """A configured attack as it describes itself; each field is as in `pedbench.base.Attack`.

    Attributes:
        reads_out: Whether it is a `ReadOutAttack`.
        selective: Whether `applies` depends on the defense.
        batching: Whether it guesses several views faster together than one by one, on a CPU and elsewhere.
        fault: What it raised when it was asked for `batching`.
    """

    name: str
    version: int
    cite: str
    summary: str
    params: dict[str, Any]
    defaults: dict[str, Any]
    label: str
    needs: frozenset[Need]
    floor: bool
    stochastic: bool
    completes: bool
    reads_out: bool
    selective: bool
    family: Family
    calibration: Calibration | None
    requests: int
    knowledge: str
    files: tuple[Path, ...]
    batching: tuple[bool, bool]
    hosted: Hosted | None = None
    fault: str = ""
    origin: Origin = dataclasses.field(default_factory=lambda: Origin("in-tree", ""))

    def batches(self, device: str) -> bool:
        """Return whether it takes less time on a device for several views together.

        Raises:
            AttackFailure: It cannot say.
        """
        if self.fault:
            kind, _, message = self.fault.partition(": ")
            raise AttackFailure(self.name, kind, message)
        return self.batching[0 if device == "cpu" else 1]

    def applies(self, description: Mapping[str, Any]) -> str | None:
        """Ask the attack why it can say nothing about a defense.

        Raises:
            AttackFailure: It raised, or answered with something else.
        """
        if not self.selective:
            return None
        spec = PluginSpec("attacks", self.name, self.origin, self.params)
        return _reason(spec.to_json(), json.dumps(description, sort_keys=True))

    @property
    def source(self) -> str:
        """The hash of its file, as `registry.source_hash` gives it of a class."""
        return file_hash(source_file(self.origin))


_FACTS = TypeAdapter(AttackFacts)


def create(registry: Registry, kind: Kind, name: str, params: Mapping[str, Any]) -> Any:
    """Build a plugin; of an attack return the facts instead.

    Raises:
        PluginError: The name is unknown, the plugin is broken or a parameter is wrong.
    """
    if kind == "attacks":
        return describe(registry.spec(kind, name, params))
    return registry.create(kind, name, params)


def describe(spec: PluginSpec) -> AttackFacts:
    """Return the facts of a configured attack.

    Raises:
        PluginError: It is broken, or a parameter is wrong.
        MissingWeightsError: It names weights that are not on this machine.
    """
    try:
        file = source_file(spec.origin)
        changed = file.stat().st_mtime_ns
    except OSError as error:
        raise PluginError(f"attack {spec.name!r} ({spec.origin}) cannot be read: {error}") from error
    home = os.environ.get("PEDBENCH_HOME", "")
    return dataclasses.replace(_described(spec.to_json(), changed, home), origin=spec.origin)


@cache
def _described(text: str, _changed: int, _home: str) -> AttackFacts:
    spec = PluginSpec.from_json(text)
    with ConfinedAttacks([spec]) as pool:
        try:
            words = pool.ask(spec, f"{__name__}:facts")
        except AttackFailure as failure:
            raise _raised(failure) from failure
    try:
        found = _FACTS.validate_json(json.dumps(words))
    except (ValidationError, ValueError, TypeError) as error:
        raise PluginError(
            f"attack {spec.name!r} ({spec.origin}) describes itself wrongly: {error}"
        ) from error
    if found.name != spec.name:
        raise PluginError(
            f"{spec.origin}: the class must be named {spec.name!r} like its file, found {found.name!r}."
        )
    return found


@cache
def _reason(attack: str, description: str) -> str | None:
    spec = PluginSpec.from_json(attack)
    with ConfinedAttacks([spec]) as pool:
        words = pool.ask(spec, f"{__name__}:applies", description=json.loads(description))
    reason = words.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise AttackFailure(
            spec.name, "BrokenAnswer", f"expected a reason in words or None, found {reason!r:.80}"
        )
    return reason


def family(attack: Attack) -> Family:
    """Return the family that an attack declares; of one that declares none, what its other declarations suggest."""
    if attack.floor or attack.family:
        return "floor" if attack.floor else attack.family
    if attack.requests > 1:
        return "averaging" if attack.needs & {"degraded", "tokens"} else "accumulation"
    if "tokens" in attack.needs:
        return "inversion"
    return (
        "sharpening"
        if "degraded" in attack.needs
        else "completion"
        if "pixels" in attack.needs
        else "metadata"
    )


def _raised(failure: AttackFailure) -> Exception:
    kinds: dict[str, type[Exception]] = {
        "MissingWeightsError": MissingWeightsError,
        "PluginError": PluginError,
    }
    if failure.kind in kinds:
        return kinds[failure.kind](failure.reason)
    return PluginError(f"{failure}\n{failure.trace}".rstrip())


def applies(
    request: dict[str, Any], _views: Sequence[bytes], _prior: Prior
) -> tuple[dict[str, Any], list[Any]]:
    """Ask the attack of a request whether it can say anything about a defense; in its process."""
    attack: Attack = load(PluginSpec.from_json(request["spec"]))
    return {"reason": attack.applies(request["description"])}, []


def facts(
    request: dict[str, Any], _views: Sequence[bytes], _prior: Prior
) -> tuple[dict[str, Any], list[Any]]:
    """Describe the attack of a request; in its process."""
    attack: Attack = load(PluginSpec.from_json(request["spec"]))
    check_properties(attack)
    check_files(attack)
    return {
        "name": attack.name,
        "version": attack.version,
        "cite": attack.cite,
        "summary": attack.summary(),
        "params": attack.params,
        "defaults": attack.defaults,
        "label": attack.label,
        "needs": sorted(attack.needs),
        "floor": attack.floor,
        "stochastic": attack.stochastic,
        "completes": attack.completes,
        "reads_out": isinstance(attack, ReadOutAttack),
        "selective": type(attack).applies is not Attack.applies,
        "family": family(attack),
        "calibration": attack.calibration and dataclasses.asdict(attack.calibration),
        "requests": attack.requests,
        "knowledge": attack.knowledge,
        "files": [str(file) for file in attack.files],
        "hosted": attack.hosted and dataclasses.asdict(attack.hosted),
        **_batching(attack),
    }, []


def _batching(attack: Attack) -> dict[str, Any]:
    try:
        return {"batching": [attack.batches("cpu"), attack.batches("cuda")]}
    # Its cells fail by this, and no others.
    except Exception as error:
        return {"batching": [False, False], "fault": f"{type(error).__name__}: {error}{plugin_line(error)}"}

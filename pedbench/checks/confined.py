"""Rules of attacks, checked in a process as confined as in a run: a check must not run what a run would not."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.adversary.isolation.facts import describe
from pedbench.base import Attack
from pedbench.checks.attacks import check_attack
from pedbench.checks.non_interference import TwoWorlds, check_noninterference
from pedbench.checks.parameters import check_params
from pedbench.checks.rule import BrokenRule, Outcome, outcome
from pedbench.host.scratch import ScratchFolder
from pedbench.registry import PluginSpec, Registry, load
from pedbench.registry.calibrations import check_calibration
from pedbench.types import Prior

_OUTCOMES = TypeAdapter(list[Outcome])


def check_confined(spec: PluginSpec, registry: Registry) -> Iterator[Outcome]:
    """Check an attack against the rules of its kind.

    Raises:
        PluginError: The attack cannot be built.
    """
    attack = describe(spec)
    yield outcome("names in the calibration", lambda: check_calibration(attack, registry))
    with ConfinedAttacks([spec], readable=attack.files) as pool:
        try:
            words = pool.ask(spec, f"{__name__}:outcomes")
            found = _OUTCOMES.validate_json(json.dumps(words.get("outcomes")))
        except AttackFailure as failure:
            yield Outcome("runs in its own process", problem=str(failure))
            return
        except ValidationError:
            yield Outcome(
                "runs in its own process", problem="it answers what it was not asked, past the program"
            )
            return
    yield from found
    if not any(each.skipped for each in found):
        yield outcome("the guess depends on the view alone", lambda: _check_non_interference(spec))


def _check_non_interference(spec: PluginSpec) -> None:
    with ScratchFolder("check") as folder, TwoWorlds([spec], Path(folder)) as worlds:
        check_noninterference(spec, worlds)


def outcomes(
    request: dict[str, Any], _views: Sequence[bytes], _prior: Prior
) -> tuple[dict[str, Any], list[Any]]:
    """Check the attack of a request; in its process."""
    before = _program()
    spec = PluginSpec.from_json(request["spec"])
    attack: Attack = load(spec)
    found = [outcome("parameters survive JSON", lambda: check_params(spec)), *check_attack(attack)]
    found.append(outcome("the program stays as it is", lambda: _check_unchanged(before)))
    return {"outcomes": [dataclasses.asdict(each) for each in found]}, []


def _program() -> dict[str, dict[str, int]]:
    """Return the identity of each function and class of pedbench that is loaded, by module and name."""
    return {
        name: {key: id(value) for key, value in vars(module).items() if callable(value)}
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType)
        and (name == "__main__" or (name.startswith("pedbench.") and not name.startswith("pedbench.plugins")))
    }


def _check_unchanged(before: dict[str, dict[str, int]]) -> None:
    now = _program()
    for module, names in before.items():
        for name, value in names.items():
            if now.get(module, {}).get(name) != value:
                raise BrokenRule(f"the attack replaces {name} of {module}")

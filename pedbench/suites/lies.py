"""Lies of servers that a suite asks for, one by one."""

from __future__ import annotations

from itertools import product

from pedbench.base import Defense
from pedbench.registry import Registry
from pedbench.suites.choices import DefenseChoice, LieChoice
from pedbench.suites.files import SuiteError


def with_each_lie(choice: DefenseChoice, registry: Registry) -> DefenseChoice:
    """Return a defense with one entry for each combination of its lies' values.

    Raises:
        SuiteError: Its servers compute nothing that could be a lie, or more are to lie than it has.
    """
    if not choice.lies:
        return choice.model_copy(update={"lies": None})
    defense: Defense = registry.create("defenses", choice.name, choice.params)
    if not (defense.servers and defense.shares_windows):
        raise SuiteError(
            f"{defense.label} has lies, and no servers that could be found out: they return no tokens of windows "
            "(`shares_windows` of a defense says whether)."
        )
    found = []
    for lies in choice.lies:
        listed = {
            name: value if isinstance(value, list) else [value]
            for name, value in lies.model_dump(exclude_none=True).items()
        }
        for values in product(*listed.values()):
            found.append(LieChoice(**dict(zip(listed, values, strict=True))))
    for each in found:
        if isinstance(each.liars, int) and each.liars > defense.servers:
            raise SuiteError(
                f"{each.liars} servers of {defense.label} are to lie, and it has {defense.servers}."
            )
    unique = [each for number, each in enumerate(found) if each not in found[:number]]
    return choice.model_copy(update={"lies": unique})

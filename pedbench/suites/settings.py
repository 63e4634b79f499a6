"""Parameters that the command line sets or sweeps."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import tomli
from pydantic import ValidationError

from pedbench.errors import suggestion
from pedbench.suites.choices import Choice, DatasetChoice, DefenseChoice, ProbeChoice
from pedbench.suites.files import SuiteError
from pedbench.suites.schema import Suite

_TABLES = ("latency", "servers")
"""Tables of a suite whose entries `--set` changes, too."""

AnyChoice = TypeVar("AnyChoice", Choice, DefenseChoice, ProbeChoice, DatasetChoice)


_ASSIGNMENT = re.compile(r"""(?:[^,()\[\]"']|\([^()]*\)|\[[^\[\]]*\]|"[^"]*"|'[^']*')+""")
"""One `parameter=value`; its value may be a list, a quoted word or a name with parameters of its own."""


def named_choice(text: str) -> str | Choice:
    """Read `NAME`, which is returned as it is, or `NAME(PARAMETER=VALUE, ...)`.

    Raises:
        SuiteError: The parameters cannot be read.
    """
    name, opened, rest = text.strip().partition("(")
    if not opened:
        return name
    listed = rest.removesuffix(")")
    parts = _ASSIGNMENT.findall(listed)
    assigned = [part.partition("=") for part in parts if part.strip()]
    complete = rest.endswith(")") and ",".join(parts) == listed
    if not complete or not all(equals and key.strip() and value.strip() for key, equals, value in assigned):
        raise SuiteError(f"expected NAME or NAME(PARAMETER=VALUE, ...), found {text!r}.")
    return Choice(
        name=name.strip(), params={key.strip(): _value(value.strip()) for key, _, value in assigned}
    )


def with_settings(suite: Suite, settings: Sequence[str], left_out: Collection[str] = ()) -> Suite:
    """Return a suite with some parameters of its plugins set.

    Args:
        suite: As it is.
        settings: `name.parameter=value` each.
        left_out: Names of plugins that the command line left out, whose settings change nothing.

    Raises:
        SuiteError: A setting cannot be read, or the suite has no plugin of that name.
    """
    for setting in settings:
        target, equals, text = setting.partition("=")
        name, dot, parameter = target.strip().partition(".")
        if not (equals and dot and name and parameter):
            raise SuiteError(f"--set expects NAME.PARAMETER=VALUE, found {setting!r}.")
        chosen: list[Sequence[Choice]] = [suite.defenses, suite.attacks, suite.metrics, suite.probes]
        known = {choice.name for choices in chosen for choice in choices} | {
            suite.dataset.name,
            *left_out,
            *_TABLES,
        }
        if name not in known:
            raise SuiteError(
                f"--set {setting}: the suite has nothing named {name!r}{suggestion(name, known)}."
            )
        value = _value(text.strip())
        if name in _TABLES:
            suite = _with_entry(suite, name, parameter, value)
            continue
        suite = suite.model_copy(
            update={
                "defenses": _set(suite.defenses, name, parameter, value),
                "attacks": _set(suite.attacks, name, parameter, value),
                "metrics": _set(suite.metrics, name, parameter, value),
                "probes": _set(suite.probes, name, parameter, value),
                "dataset": _set([suite.dataset], name, parameter, value)[0],
            }
        )
    return suite


def _with_entry(suite: Suite, table: str, entry: str, value: Any) -> Suite:
    before = getattr(suite, table)
    try:
        changed = type(before).model_validate({**before.model_dump(), entry: value})
    except ValidationError as error:
        raise SuiteError(f"--set {table}.{entry}: {error.errors()[0]['msg']}, found {value!r}.") from None
    return suite.model_copy(update={table: changed})


def _set(choices: Sequence[AnyChoice], name: str, parameter: str, value: Any) -> list[AnyChoice]:
    return [_changed(choice, parameter, value) if choice.name == name else choice for choice in choices]


def _changed(choice: AnyChoice, parameter: str, value: Any) -> AnyChoice:
    update: dict[str, Any] = {"params": {**choice.params, parameter: value}}
    if isinstance(choice, Choice):
        update["sweep"] = {key: values for key, values in choice.sweep.items() if key != parameter}
    return choice.model_copy(update=update)


def with_sweep(defenses: Sequence[DefenseChoice], sweep: str) -> list[DefenseChoice]:
    target, equals, listed = sweep.partition("=")
    name, dot, parameter = target.strip().partition(".")
    values = [_value(text.strip()) for text in listed.split(",") if text.strip()]
    if not (equals and dot and name and parameter and values):
        raise SuiteError(f"--sweep expects DEFENSE.PARAMETER=VALUE,VALUE,..., found {sweep!r}.")
    if name not in [choice.name for choice in defenses]:
        defenses = [*defenses, DefenseChoice(name=name)]
    return [
        choice.model_copy(update={"sweep": {**choice.sweep, parameter: values}})
        if choice.name == name
        else choice
        for choice in defenses
    ]


def _value(text: str) -> Any:
    """Read a value as TOML spells it; anything else is a string without quotes."""
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text

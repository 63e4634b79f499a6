"""`pedbench check`: check plugins against the rules of their kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pedbench.cli import options
from pedbench.cli.options import plugin_names
from pedbench.errors import PluginError, suggestion
from pedbench.registry import KINDS, Kind, Registry
from pedbench.registry.origins import from_path

if TYPE_CHECKING:
    from pedbench.checks.rule import Outcome


def check_plugins(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names, files or folders of plugins; NAME(PARAMETER=VALUE, ...) sets parameters.",
            autocompletion=plugin_names(*KINDS),
        ),
    ] = None,
    plugin: options.Plugins = None,
) -> None:
    """Check plugins against the rules of their kind.

    Without names, all plugins are checked. The exit status is 1 if a plugin breaks a rule.
    """
    from pedbench.checks import check
    from pedbench.suites.choices import Choice
    from pedbench.suites.settings import named_choice

    parsed = [named_choice(name) for name in names or ()]
    choices = [each if isinstance(each, Choice) else Choice(name=each) for each in parsed]
    files = {each.name: Path(each.name).expanduser().resolve() for each in choices if _is_path(each.name)}
    registry = Registry([*(plugin or ()), *files.values()])
    chosen: list[tuple[Kind, str, dict[str, Any]]] = []
    for each in choices:
        if each.name in files:
            chosen += [(kind, name, each.params) for kind, name, _ in from_path(files[each.name])]
        else:
            chosen += [(kind, name, each.params) for kind, name in _named(registry, each.name)]
    if not choices:
        chosen = [(kind, name, {}) for kind in KINDS for name in registry.origins(kind)]
    broken = 0
    for kind, name, params in chosen:
        print(f"{name} ({registry.origin(kind, name)})")
        outcomes: list[Outcome] = []
        for outcome in check(registry.spec(kind, name, params), registry):
            same = (each.rule for each in outcomes if each.problem and each.problem == outcome.problem)
            _print(outcome, next(same, ""))
            outcomes.append(outcome)
        problems = sum(bool(outcome.problem) for outcome in outcomes)
        skipped = sum(bool(outcome.skipped) for outcome in outcomes)
        print(f"  {len(outcomes) - problems - skipped} kept, {problems} broken, {skipped} not checked")
        broken += problems
    if broken:
        print(f"{broken} check{'s' if broken > 1 else ''} failed.", file=sys.stderr)
        sys.exit(1)


def _is_path(name: str) -> bool:
    return name.endswith(".py") or "/" in name


def _print(outcome: Outcome, same: str) -> None:
    """Print an outcome; its problem only if no earlier rule, `same`, had it."""
    mark = "failed" if outcome.problem else "skipped" if outcome.skipped else "ok"
    detail = f"as for {same!r}" if same else outcome.problem or outcome.skipped
    print(f"  {mark:8}{outcome.rule}{f': {detail}' if detail else ''}")


def _named(registry: Registry, name: str) -> list[tuple[Kind, str]]:
    known = {each: kind for kind in KINDS for each in registry.origins(kind)}
    if name not in known:
        raise PluginError(
            f"there is no plugin named {name!r}{suggestion(name, known)}. Known: {', '.join(known)}."
        )
    return [(kind, name) for kind in KINDS if name in registry.origins(kind)]

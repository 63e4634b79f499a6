"""`pedbench check`: check plugins against the rules of their kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pedbench.cli import options
from pedbench.errors import PluginError
from pedbench.registry import KINDS, Kind, Registry
from pedbench.registry.origins import from_path

if TYPE_CHECKING:
    from pedbench.checks.rule import Outcome


def check_plugins(
    names: Annotated[list[str] | None, typer.Argument(help="Names, files or folders of plugins.")] = None,
    plugin: options.Plugins = None,
) -> None:
    """Check plugins against the rules of their kind.

    Without names, all plugins are checked. The exit status is 1 if a plugin breaks a rule.
    """
    from pedbench.checks import check

    paths = [Path(name).expanduser().resolve() for name in names or () if _is_path(name)]
    registry = Registry([*(plugin or ()), *paths])
    chosen = [(kind, name) for path in paths for kind, name, _ in from_path(path)]
    chosen += _named(registry, [name for name in names or () if not _is_path(name)])
    if not names:
        chosen = [(kind, name) for kind in KINDS for name in registry.origins(kind)]
    broken = 0
    for kind, name in chosen:
        print(f"{name} ({registry.origin(kind, name)})")
        outcomes = []
        for outcome in check(registry.spec(kind, name, {}), registry):
            _print(outcome)
            outcomes.append(outcome)
        problems = sum(bool(outcome.problem) for outcome in outcomes)
        skipped = sum(bool(outcome.skipped) for outcome in outcomes)
        print(f"  {len(outcomes) - problems - skipped} kept, {problems} broken, {skipped} not checked")
        broken += problems
    if broken:
        print(f"{broken} checks failed.", file=sys.stderr)
        sys.exit(1)


def _is_path(name: str) -> bool:
    return name.endswith(".py") or "/" in name


def _print(outcome: Outcome) -> None:
    mark = "failed" if outcome.problem else "skipped" if outcome.skipped else "ok"
    detail = outcome.problem or outcome.skipped
    print(f"  {mark:8}{outcome.rule}{f': {detail}' if detail else ''}")


def _named(registry: Registry, names: list[str]) -> list[tuple[Kind, str]]:
    known = [(kind, name) for kind in KINDS for name in registry.origins(kind)]
    known_names = [name for _, name in known]
    chosen: list[tuple[Kind, str]] = []
    for name in names:
        if name not in known_names:
            from pedbench.errors import suggestion

            raise PluginError(
                f"there is no plugin named {name!r}{suggestion(name, known_names)}. Known: {', '.join(known_names)}."
            )
        chosen += [pair for pair in known if pair[1] == name]
    return chosen

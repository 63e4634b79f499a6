"""`pedbench check`: does a plugin keep the rules?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pedbench.registry import Kind, PluginError, Registry

CHECKED: tuple[Kind, ...] = ("attacks", "defenses", "probes", "codecs")


def check_plugins(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or files of attacks, defenses, probes and codecs.")
    ] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="A file or folder with further plugins.")] = None,
) -> None:
    """Check that attacks, defenses, probes and codecs keep the rules; without names, all of them."""
    from pedbench.checks import check

    files = [Path(name).expanduser().resolve() for name in names or () if name.endswith(".py")]
    registry = Registry([*(plugin or ()), *files])
    wanted = [name if not name.endswith(".py") else Path(name).stem for name in names or ()]
    chosen = _chosen(registry, wanted)
    failed = 0
    for kind, name in chosen:
        print(f"{name} ({registry.origin(kind, name)})")
        for outcome in check(registry, kind, name):
            mark = "failed" if outcome.problem else "skipped" if outcome.skipped else "ok"
            detail = outcome.problem or outcome.skipped
            print(f"  {mark:8}{outcome.rule}{f': {detail}' if detail else ''}")
            failed += bool(outcome.problem)
    if failed:
        print(f"{failed} checks failed.", file=sys.stderr)
        sys.exit(1)


def _chosen(registry: Registry, names: list[str]) -> list[tuple[Kind, str]]:
    known = [(kind, name) for kind in CHECKED for name in registry.origins(kind)]
    if not names:
        return known
    chosen: list[tuple[Kind, str]] = []
    for name in names:
        found = [pair for pair in known if pair[1] == name]
        if not found:
            from pedbench.parameters import suggestion

            every = [known_name for _, known_name in known]
            raise PluginError(
                f"there is no attack, defense, probe or codec named {name!r}{suggestion(name, every)}. "
                f"Known: {', '.join(every)}."
            )
        chosen += found
    return chosen

"""Names that commands list and shells complete; no plugin is imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from pedbench.registry import Kind, Registry

_SUITES = Path(__file__).parents[1] / "suites"


def suite_names(incomplete: str = "") -> list[str]:
    """Return the names of the suites that pedbench brings and that begin with a text."""
    return sorted(file.stem for file in _SUITES.glob(f"{incomplete}*.toml"))


def plugin_names(*kinds: Kind) -> Callable[[typer.Context, str], list[str]]:
    """Return what completes the names of plugins of some kinds, of those that `--plugin` names too."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        try:
            registry = Registry(context.params.get("plugin") or ())
            names = [name for kind in kinds for name in registry.origins(kind)]
        except (ValueError, OSError):
            # The command itself says what is wrong; here it would garble the line that is being typed.
            return []
        return [name for name in names if name.startswith(incomplete)]

    return complete


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Return what completes one of some words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]

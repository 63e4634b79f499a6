"""Files that a suite needs on this machine, and how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pedbench.adversary.isolation.facts import create
from pedbench.base import Defense, Plugin
from pedbench.fetching.fetch import missing, provider, states
from pedbench.models.sam.family import Family
from pedbench.models.trained import training_command, untrained
from pedbench.registry import Kind, Registry
from pedbench.suites.choices import Choice
from pedbench.suites.schema import ResolvedSuite


@dataclass(frozen=True, kw_only=True)
class Need:
    """A file or folder that something reads.

    Attributes:
        what: Who needs it, e.g. "attack vitmae".
        path: Where it is looked for; None if nobody named a file.
        entry: The catalogue's name of it; "" if it is not fetched.
        advice: How it is to be had.
        required: Whether a run fails without it; else it skips the rows that need it.
    """

    what: str
    path: Path | None
    entry: str
    advice: str
    required: bool = True

    @property
    def here(self) -> bool:
        """Whether all of it is here."""
        if self.entry:
            return all(state.here for state in states(self.entry))
        return self.path is not None and self.path.exists()

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return missing(self.entry) if self.entry else 0


def needs(suite: ResolvedSuite, of: Family, registry: Registry) -> list[Need]:
    """Everything that a suite reads beside its dataset, each once.

    Raises:
        PluginError: A plugin is broken.
    """
    found: dict[Path | str, Need] = {}
    for need in (*_weights(suite, of, registry), *_plugins(suite, registry)):
        found.setdefault(need.path or need.what, need)
    return list(found.values())


def _weights(suite: ResolvedSuite, of: Family, registry: Registry) -> Iterator[Need]:
    used = ["original"]
    for choice in suite.defenses:
        defense: Defense = registry.create("defenses", choice.name, choice.params)
        used += defense.networks
    for weights in dict.fromkeys(used):
        member = of.member(weights)
        if member is not None:
            entry = provider(member.file) if member.file else ""
            what = f"weights {member.architecture.name}"
            required = member.file is not None
            yield Need(what=what, path=member.file, entry=entry, advice=member.source, required=required)


def _plugins(suite: ResolvedSuite, registry: Registry) -> Iterator[Need]:
    kinds: tuple[tuple[Kind, str, list[Choice]], ...] = (
        ("defenses", "defense", list(suite.defenses)),
        ("attacks", "attack", list(suite.attacks)),
        ("metrics", "metric", suite.metrics),
        ("probes", "probe", list(suite.probes)),
    )
    for kind, word, choices in kinds:
        for choice in choices:
            plugin: Plugin = create(registry, kind, choice.name, choice.params)
            for path in plugin.files:
                entry = provider(path)
                get = f"pedbench fetch {entry}" if entry else training_command(path.name)
                advice = get or f"put it there, or name another in {plugin.label}"
                required = kind != "attacks" or not untrained([path])
                yield Need(
                    what=f"{word} {plugin.name}", path=path, entry=entry, advice=advice, required=required
                )

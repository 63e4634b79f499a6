"""Tables of the shipped networks, from their manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pedbench.report.tables.table import Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING

_ABOUT = columns("network", "starts from", text=True) + columns(
    "steps", "pictures", "seconds", "scenes", "sha256"
)


def models(manifest: Path) -> str:
    """Tabulate the shipped Segment Anything networks of a manifest.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    classes = ("S", "M", "L", "ML", "all")
    lines = [
        [*_about(name, entry), *(_score(entry, size) for size in classes)]
        for name, entry in _entries(manifest).items()
        if "architecture" in entry["recipe"]
    ]
    return Table(columns=_ABOUT + columns("S", "M", "L", "M+L", "all"), rows=lines).markdown()


def attackers(manifest: Path) -> str:
    """Tabulate the networks of a manifest that attack and measure.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    lines = [
        [*_about(name, entry), ", ".join(f"{score} {_score(entry, score)}" for score in entry["scores"])]
        for name, entry in _entries(manifest).items()
        if "architecture" not in entry["recipe"]
    ]
    return Table(columns=_ABOUT + columns("on validation scenes"), rows=lines).markdown()


def _entries(manifest: Path) -> dict[str, Any]:
    if not manifest.is_file():
        raise FileNotFoundError(f"there is no {manifest}; `pedbench train NAME` writes it")
    entries: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return entries


def _about(name: str, entry: Any) -> list[str]:
    recipe = entry["recipe"]
    start, steps, seconds = recipe.get("start"), recipe["schedule"]["steps"], entry.get("seconds")
    return [
        Code(name),
        Code(start) if start else NOTHING,
        f"{steps:,}",
        f"{steps * recipe['batch']:,}" if "batch" in recipe else NOTHING,
        f"{seconds:,}" if seconds else NOTHING,
        f"{entry['data']['count']:,}",
        Code(entry["sha256"][:12]),
    ]


def _score(entry: Any, name: str) -> str:
    return f"{entry['scores'][name]:.3f}" if name in entry["scores"] else NOTHING

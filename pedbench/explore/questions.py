"""Suites of the page: one of one picture for the bench, and the suite that measures the same over many."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pedbench.suites.choices import AttackChoice, Choice, DatasetChoice, DefenseChoice, ProbeChoice
from pedbench.suites.files import load_suite, to_toml
from pedbench.suites.schema import CoalitionChoice, LatencyChoice, Suite, UtilityChoice

FLOORS = ("mean_colour", "nearest_pixel")
"""The attacks without a learned prior that every guess is compared with."""

PICTURES = 24
"""Pictures of the suite for many."""

SUITE_FILE = "explored.toml"


def bench_suite(defense: Choice, model: str, link: str) -> Suite:
    """Return the suite of one pass."""
    return Suite(
        name="explore",
        version=1,
        seed=0,
        model=model,
        dataset=DatasetChoice(name="scenes"),
        defenses=[DefenseChoice(name=defense.name, params=defense.params)],
        attacks=[],
        metrics=[],
        coalitions=[],
        latency=LatencyChoice(samples=1, warmup=1, turn_taking=False, links=[link]),
    )


def many_pictures(
    defense: Choice, attack: Choice, coalition: int, model: str, link: str, *, scenes: bool
) -> Suite:
    """Return the suite that measures what is on the page over many pictures.

    Args:
        coalition: Number of servers in the coalition; all of that size are evaluated.
        scenes: Whether the pictures are pedbench's scenes; else they are those of a folder.
    """
    mini = load_suite("mini")
    attacks = [AttackChoice(name=name) for name in FLOORS if name != attack.name]
    plain = DefenseChoice(name="on_device")
    chosen = DefenseChoice(name=defense.name, params=defense.params)
    return Suite(
        name="explored",
        version=1,
        seed=0,
        model=model,
        dataset=DatasetChoice(name="scenes", limit=PICTURES) if scenes else DatasetChoice(name="folder"),
        utility=[UtilityChoice(protocol="clicks", prompts=["1", "box"])],
        defenses=[chosen] if chosen == plain else [plain, chosen],
        attacks=[*attacks, AttackChoice(name=attack.name, params=attack.params)],
        metrics=mini.metrics,
        probes=[ProbeChoice(name="ocr", limit=6)] if scenes else [],
        coalitions=[CoalitionChoice(c=max(1, coalition))],
        latency=LatencyChoice(samples=min(PICTURES, 10), warmup=2, links=[link]),
    )


def as_text(suite: Suite, plugins: Sequence[Path]) -> tuple[str, str]:
    """Return a suite as TOML, and the command that runs it from a file."""
    words = ["pedbench", "run", SUITE_FILE]
    for path in plugins:
        words += ["--plugin", str(path)]
    if suite.dataset.name == "folder":
        words += ["--data", "FOLDER"]
    return to_toml(suite), shlex.join(words)

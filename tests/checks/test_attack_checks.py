"""Read-outs and completing attacks that break a rule, and those in the tree that break none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.base import Attack, ReadOutAttack
from pedbench.checks import broken_rules
from pedbench.checks.attacks import check_attack
from pedbench.inversion.read_out import fill_with_nearest, reading
from pedbench.registry import Registry
from pedbench.types import Picture, Reading, View


@dataclass(kw_only=True)
class Plain(ReadOutAttack):
    """Read degraded pixels as they are."""

    name = "plain"
    version = 1
    needs = frozenset({"degraded"})

    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        return reading(view)


class Pair(Plain):
    def read_out(self, view: View, rng: np.random.Generator) -> Any:
        found = reading(view)
        return found.picture, found.confidence


class Certain(Plain):
    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        return replace(reading(view), confidence=np.full(view.frame_size, 1.5, np.float32))


class Flat(Plain):
    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        found = reading(view)
        return replace(found, confidence=found.confidence[..., None])


class Infinite(Plain):
    def read_out(self, view: View, rng: np.random.Generator) -> Reading:
        found = reading(view)
        found.picture[0, 0] = np.nan
        return found


class Brighter(Plain):
    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return 1 - reading(view).picture


class Batched(Plain):
    def read_out_many(self, views: Any, rngs: Any) -> list[Reading]:
        found = [reading(view) for view in views]
        return [replace(each, confidence=each.confidence * np.float32(0.5)) for each in found]


@dataclass(kw_only=True)
class Nearest(Attack):
    """Continue the canvas."""

    name = "nearest"
    version = 1
    needs = frozenset({"nothing", "pixels"})
    completes = True

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return fill_with_nearest(view)


class Unaware(Nearest):
    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        return np.where(seen[..., None], canvas, fill_with_nearest(replace(view, reading=None)))


class Smoothing(Nearest):
    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return fill_with_nearest(view) * np.float32(0.9)


@pytest.mark.parametrize(
    ("attack", "rule", "problem"),
    [
        (Pair(), "reading of a square frame", "`read_out` returns a Reading, found tuple"),
        (Certain(), "reading of a square frame", "confidence: expected values in [0, 1], found 1.5 to 1.5"),
        (Flat(), "reading of a tall frame", "confidence: expected a float32 array of shape (96, 40), found"),
        (Infinite(), "reading of a tiny frame", "picture: 3 values are not finite"),
        (Brighter(), "reading of a wide frame", "`reconstruct` returns the pixels that `read_out` read"),
        (
            Batched(),
            "readings do not depend on the batch",
            "confidence differs by 0.45 between a batch and alone",
        ),
        (Unaware(), "completion of a reading", "start from `view.canvas()`"),
        (Smoothing(), "completion of a reading", "keeps what `view.canvas()` holds, found a change of"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Attack) else "",
)
def test_a_broken_rule_is_named(attack: Attack, rule: str, problem: str) -> None:
    broken = {found.rule: found.problem for found in check_attack(attack)}
    assert problem in broken[rule]


@pytest.mark.parametrize("attack", [Plain(), Nearest()], ids=["read-out", "completion"])
def test_an_attack_that_keeps_the_rules_passes(attack: Attack) -> None:
    assert not [found for found in check_attack(attack) if found.problem]


READ_OUTS = {
    "accumulate", "averaging", "deblur", "feature_decoder", "jigsaw", "patch_inversion", "read_degraded",
    "split_decoder", "token_inversion",
}  # fmt: skip


def test_attacks_in_the_tree_say_what_they_do() -> None:
    plugins: dict[str, Any] = {
        name: Registry().plugin_class("attacks", name) for name in Registry().origins("attacks")
    }
    assert {name for name, plugin in plugins.items() if issubclass(plugin, ReadOutAttack)} == READ_OUTS
    completing = {name for name, plugin in plugins.items() if plugin.completes}
    assert completing == {"completion", "diffusion_inpaint", "hosted_inpaint", "vitmae"}


CHEAP = {
    "token_inversion": {"steps": 2},
    "split_decoder": {"refine": 2},
    "diffusion_inpaint": {"samples": 1, "steps": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*READ_OUTS, "completion", "diffusion_inpaint", "vitmae"}))
def test_attacks_in_the_tree_keep_the_rules(name: str) -> None:
    attack = Registry().create("attacks", name, CHEAP.get(name, {}))
    assert not [found for found in check_attack(attack) if found.problem]


UNFILLED = """
from dataclasses import dataclass

from pedbench.base import Attack


@dataclass(kw_only=True)
class Unfilled(Attack):
    name = "unfilled"
    version = 1
    needs = frozenset({"pixels"})
    brightness = 0.5
    steps: int = 2

    def __post_init__(self):
        self.steps = 2

    def reconstruct(self, view, rng):
        guess, seen = view.canvas()
        height, width = view.frame_size
        filled = slice(1 if height > width else 0, None)
        guess[filled][~seen[filled]] = 0.5
        return guess
"""


@pytest.mark.slow
def test_an_unfilled_canvas_and_lost_parameters_are_found(tmp_path: Path) -> None:
    file = tmp_path / "unfilled.py"
    file.write_text(UNFILLED)
    loose, unfilled = broken_rules(file)
    assert "`brightness` has no annotation, so it is no parameter" in loose
    assert "every pixel is filled: 20 of 2880 hidden pixels of a tall frame are black" in unfilled
    assert "the first in row 0, column 20: fill every pixel" in unfilled
    file.write_text(UNFILLED.replace("brightness =", "brightness: float ="))
    dropped, _ = broken_rules(file)
    assert "the parameter 'steps' is 2 even if it is set to 3" in dropped


class Empty(Attack):
    """Divide by the number of pixels in nothing."""

    name = "empty"
    version = 1
    needs = frozenset({"pixels"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.full((*view.frame_size, 3), np.nan, np.float32)


def test_values_that_are_not_finite_are_not_taken_for_chance() -> None:
    problems = {each.rule: each.problem for each in check_attack(Empty()) if each.problem}
    assert "not finite: look for a division by 0" in problems["guess of a wide frame"]
    assert not {"guesses are deterministic", "the guess does not depend on chance"} & set(problems)

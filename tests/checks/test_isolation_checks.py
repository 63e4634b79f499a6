"""No shipped attack changes its guess when only the truth changes, and an attack that does is detected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.base import Attack
from pedbench.base.attack import Need
from pedbench.checks.attacks import NEEDS
from pedbench.checks.non_interference import TRUTH, TwoWorlds, check_noninterference, shared_view, two_truths
from pedbench.checks.rule import BrokenRule
from pedbench.registry import PluginSpec, Registry

CHEAP = {
    "token_inversion": {"steps": 2},
    "split_decoder": {"refine": 2},
    "diffusion_inpaint": {"samples": 1, "steps": 2},
}
"""Parameters with which slow attacks finish quickly, with worse guesses."""

ATTACKS = [
    pytest.param(
        name, marks=pytest.mark.slow if Registry().create("attacks", name, {}).floor else pytest.mark.long
    )
    for name in Registry().origins("attacks")
]
"""Loading the libraries of an attack in both worlds takes many seconds; floors have none."""


@pytest.fixture(name="specs", scope="module")
def _specs() -> dict[str, PluginSpec]:
    attacks = Registry().origins("attacks")
    return {name: Registry().spec("attacks", name, CHEAP.get(name, {})) for name in attacks}


@pytest.fixture(name="worlds", scope="module")
def _worlds(specs: dict[str, PluginSpec], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorlds]:
    with TwoWorlds([*specs.values()], tmp_path_factory.mktemp("evaluation")) as worlds:
        yield worlds


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_knows_more_than_its_view(
    name: str, specs: dict[str, PluginSpec], worlds: TwoWorlds
) -> None:
    check_noninterference(specs[name], worlds)


@pytest.mark.parametrize("need", NEEDS)
def test_the_two_worlds_differ_in_the_truth_alone(need: Need) -> None:
    class Needy(Attack):
        needs = frozenset({need})
        requests = 2
        reconstruct = None  # type: ignore[assignment]

    first, second = two_truths()
    assert 0.4 < np.mean((first != second).any(axis=2)) < 0.7
    views = [shared_view(Needy(), truth) for truth in (first, second)]
    assert view_to_bytes(views[0]) == view_to_bytes(views[1])
    contents = {"pixels": views[0].patches, "degraded": views[0].degraded, "tokens": views[0].tokens}
    assert all(bool(pieces) == (kind == need) for kind, pieces in contents.items())


CHEAT = '''
"""Knows more than its view."""
from dataclasses import dataclass
from pathlib import Path
import os
import numpy as np
from PIL import Image
from pedbench.base import Attack

@dataclass(kw_only=True)
class Knowing(Attack):
    """Know more than the view says."""

    name = "knowing"
    version = 1
    needs = frozenset({"nothing"})
    way: str

    @property
    def files(self):
        return (Path(FOLDER),) if self.way == "declared" else ()

    @property
    def knowledge(self):
        return "the truth" if self.files else ""

    def prepare(self, device):
        self._learned = np.asarray(Image.open(Path(FOLDER) / TRUTH)) if self.way == "prepared" else None

    def reconstruct(self, view, rng):
        guess = np.full((*view.frame_size, 3), rng.random(), np.float32)
        if self.way in ("opened", "declared"):
            guess[:] = np.asarray(Image.open(Path(FOLDER) / TRUTH), np.float32) / 255
        elif self.way == "chance":
            guess[0] = np.frombuffer(os.urandom(guess.shape[1]), np.uint8)[:, None] / 255
        return guess
'''


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        ("honest", ""),
        ("opened", "TruthAccessError: an attack may not open .*truth.png"),
        ("prepared", "TruthAccessError: an attack may not open .*truth.png"),
        ("declared", "two different guesses where only the truth differs: [0-9]+ of 36864 values"),
        ("chance", "two different guesses"),
    ],
)
def test_an_attack_that_knows_more_is_detected(way: str, problem: str, tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    plugin = tmp_path / "knowing.py"
    plugin.write_text(CHEAT.replace("FOLDER", repr(str(folder))).replace("TRUTH", repr(TRUTH)))
    spec = Registry([plugin]).spec("attacks", "knowing", {"way": way})
    with TwoWorlds([spec], folder) as worlds:
        if problem:
            with pytest.raises(BrokenRule, match=problem):
                check_noninterference(spec, worlds)
        else:
            check_noninterference(spec, worlds)

"""`pedbench.run` with plugins that have no name yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pedbench
from pedbench.base import Attack, Defense
from pedbench.errors import PluginError
from pedbench.plugins.attacks.mean_colour import MeanColour
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.registry import Registry
from pedbench.registry.instances import plugin_file
from pedbench.results.records import write_plan
from pedbench.results.run import Run, load
from pedbench.suites.files import load_suite, to_toml
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import ResolvedSuite

ROOT = Path(__file__).parents[1]


def test_a_run_directory_holds_what_runs_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(suite: ResolvedSuite, directory: Path, *rest: object) -> Run:
        write_plan(directory, ["0" * 12])
        (directory / "records.jsonl").touch()
        return load(directory)

    monkeypatch.setattr("pedbench.engines.runner.run", begin)
    monkeypatch.chdir(tmp_path)
    for file in ("painted.py", "unused.py"):
        (tmp_path / file).write_text(PAINTED.replace("painted", Path(file).stem))
    (tmp_path / "pictures").mkdir()
    result = pedbench.run(
        "proof",
        attacks=["mean_colour", "painted"],
        dataset="folder",
        data="pictures",
        plugins=["painted.py", "unused.py"],
    )
    directory = result.directory.resolve()
    assert [path.name for path in (directory / "plugins").rglob("*.py")] == ["painted.py"]
    for file in ("painted.py", "unused.py"):
        (tmp_path / file).unlink()
    monkeypatch.chdir(directory)
    (directory / "suite.toml").write_text((directory / "suite.toml").read_text(), encoding="utf-8-sig")
    suite = load_suite("suite.toml")
    assert suite.dataset.params["data"] == str(tmp_path / "pictures")
    assert to_toml(resolve(suite, Overrides(), Registry([Path("plugins")]))) == to_toml(suite)


@pytest.mark.long
def test_a_plugin_that_has_changed_is_measured_again(run_small: Callable[..., Any], tmp_path: Path) -> None:
    plugin = tmp_path / "painted.py"
    plugin.write_text(PAINTED)
    changes = {"defenses": [{"name": "on_device"}], "attacks": ["mean_colour", "painted"]}

    def run() -> tuple[list[Any], str]:
        finished = run_small(tmp_path / "run", [str(plugin.with_suffix(""))], **changes)
        return finished.records, finished.said

    first, _ = run()
    plugin.write_text(PAINTED.replace('"""Paint."""', '"""Paint it."""'))
    assert run()[0] == first
    plugin.write_text(PAINTED.replace("0.5", "0.25"))
    second, output = run()
    assert "painted has changed: 2 cells are measured again" in output
    different = [new.cell["attack"]["name"] for old, new in zip(first, second, strict=True) if old != new]
    assert different == ["painted", "painted"]


PAINTED = '''
"""An attack under construction."""
from dataclasses import dataclass
import numpy as np
from pedbench.base import Attack

@dataclass(kw_only=True)
class Painted(Attack):
    """Paint."""

    name = "painted"
    version = 1
    needs = frozenset({"nothing"})

    def reconstruct(self, view, rng):
        return np.full((*view.frame_size, 3), 0.5, np.float32)
'''


@dataclass(kw_only=True)
class Placed(MeanColour):  # type: ignore[misc]
    """Has a parameter that is no word."""

    name = "placed"
    place: Path = Path("here")


@dataclass(kw_only=True)
class Misplaced(MeanColour):  # type: ignore[misc]
    """Has the name of another."""

    name = "placed"


class Anonymous(Attack):
    """Has no name."""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"attacks": "mean_colour"}, "attacks: expected a list of names and instances, found 'mean_colour'"),
        ({"attacks": [MeanColour]}, r"expected an instance, found the class: write MeanColour\(\)"),
        ({"defenses": [MeanColour()]}, r"names and instances of Defense, found MeanColour\(\)"),
        ({"attacks": ["mean_color"]}, r"no attack named 'mean_color' \(did you mean 'mean_colour'\?\)"),
        ({"suite": "prof"}, r"no suite named 'prof' \(did you mean 'proof'\?\)"),
        ({"attacks": [Placed()]}, r"placed: the parameter 'place' is PosixPath\('here'\)"),
        ({"attacks": [Placed(), Misplaced()]}, "2 classes of attacks are named 'placed'"),
        ({"dataset": 3}, "datasets: expected names and instances of Dataset, found 3"),
    ],
)
def test_wrong_input_is_a_sentence(arguments: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        pedbench.run(**{"suite": "proof", "out": tmp_path / "reports", **arguments})
    assert not (tmp_path / "reports").exists()


def test_known_classes_keep_their_place_and_doubtful_ones_are_refused(tmp_path: Path) -> None:
    assert plugin_file(FullOffload, Registry(), tmp_path) is None
    with pytest.raises(PluginError, match="Anonymous needs a class constant `name`"):
        plugin_file(Anonymous, Registry(), tmp_path)
    double = type("Taken", (Defense,), {"name": "ped_sam"})
    with pytest.raises(
        PluginError, match=r"Taken is named 'ped_sam', as pedbench\.plugins.defenses\.ped_sam is"
    ):
        plugin_file(double, Registry(), tmp_path)


def test_importing_pedbench_imports_nothing_heavy() -> None:
    script = (
        "import pedbench, sys; print(sorted({'torch', 'numpy', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

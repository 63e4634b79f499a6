"""`pedbench.run` with plugins that have no name yet."""

from __future__ import annotations

import json
import os
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

SCRIPT = """
import json
from dataclasses import dataclass

import numpy as np

import pedbench
from pedbench.base import Attack, Defense
from pedbench.plugins.attacks.mean_colour import MeanColour
from pedbench.plugins.defenses.full_offload import FullOffload

HALF = 0.5

@dataclass(kw_only=True)
class Flat(Attack):
    "One level."
    name = "flat"
    version = 1
    needs = frozenset({"nothing"})
    level: float = HALF

    def reconstruct(self, view, rng):
        return np.full((*view.frame_size, 3), self.level, np.float32)

@dataclass(kw_only=True)
class Broken(Flat):
    "Raises."
    name = "broken"

    def reconstruct(self, view, rng):
        raise RuntimeError("on purpose")

@dataclass(kw_only=True)
class Inverted(Defense):
    "One server gets the negative."
    name = "inverted"
    version = 1
    disclosure = "degraded"
    networks = ("original",)

    def embed(self, frame, edge, cloud):
        return cloud[0].encode_image(1 - frame)

result = pedbench.run(
    "proof",
    defenses=[FullOffload(weights="prolonged"), Inverted()],
    attacks=[MeanColour(), Flat(), Flat(level=0.25), Broken()],
    limit=1,
)
try:
    result.table("privasy")
except KeyError as error:
    unknown = error.args[0]
privacy = result.table("privacy")
guessed = privacy[privacy["metric"].eq("RMSE") & privacy["region"].eq("whole") & privacy["c"].eq("1")]
print(json.dumps({
    "failed": [record.reason for record in result.failed],
    "problems": result.problems,
    "ok": result.ok,
    "unknown": unknown,
    "defenses": list(result.table("combined")["defense"]),
    "attacks": sorted(guessed["attack"].unique()),
    "levels": guessed[guessed["defense"].eq("inverted")].set_index("attack")["value"].to_dict(),
    "png": result.figure()._repr_png_()[:4].hex(),
    "markdown": result._repr_markdown_(),
}))
"""


@pytest.mark.long
def test_a_script_without_a_guard_runs_what_it_defines(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert len(found["failed"]) == 4
    assert set(found["failed"]) == {"attack broken: RuntimeError: on purpose"}
    cells, control = found["problems"]
    assert cells.startswith("failed: privacy of full_offload, privacy of inverted (")
    assert cells.endswith(" and 3 more cells): attack broken: RuntimeError: on purpose")
    assert control.startswith(
        "the run is invalid: control whole picture (full_offload) fails: failed: attack"
    )
    assert not found["ok"]
    assert found["unknown"].startswith("there is no table 'privasy' (did you mean 'privacy'?)")
    assert found["defenses"] == ["full_offload", "inverted"]
    assert found["attacks"] == ["flat(level=0.25)", "flat(level=0.5)", "mean_colour"]
    assert found["levels"]["flat(level=0.25)"] != found["levels"]["flat(level=0.5)"]
    assert found["png"] == "89504e47"
    assert "| `inverted`" in found["markdown"]
    kept = tmp_path / "reports" / "latest" / "plugins"
    assert {path.name for path in kept.rglob("*.py")} == {"broken.py", "flat.py", "inverted.py"}
    assert set(Registry([kept]).origins("attacks")) > {"broken", "flat", "mean_colour"}


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
    second, said = run()
    assert "painted has changed: 2 cells are measured again" in said
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
    taken = type("Taken", (Defense,), {"name": "ped_sam"})
    with pytest.raises(
        PluginError, match=r"Taken is named 'ped_sam', as pedbench\.plugins.defenses\.ped_sam is"
    ):
        plugin_file(taken, Registry(), tmp_path)


def test_importing_pedbench_imports_nothing_heavy() -> None:
    script = (
        "import pedbench, sys; print(sorted({'torch', 'numpy', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""`pedbench.run` in a script that defines its plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pedbench.registry import Registry

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

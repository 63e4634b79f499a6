"""Real runs of a suite for the gate, and such with faults: changed sources under the same names and versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pedbench.registry.origins import in_tree
from tests.conftest import made_once

ROOT = Path(__file__).parents[2]

GUARDED: dict[str, Any] = {
    "defenses": [{"name": "full_offload"}, {"name": "gaussian_blur"}, {"name": "ped_sam"}],
    "attacks": ["mean_colour", "read_degraded", "completion"],
    "metrics": ["root_mean_square_error"],
    "coalitions": [{"c": 1, "m": 3}],
    "dataset": {"name": "scenes", "params": {"count": 8}, "limit": 4},
}
"""What the suite of the gate's tests has other than `conftest.SMALL`."""

Fault = tuple[str, str, str]
"""A plugin's file, a piece of its text, and what stands in its place."""

Again = Callable[..., Any]


@pytest.fixture(scope="session")
def guarded(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run that becomes the baseline."""
    return made_once("guarded", tmp_path_factory, lambda directory: run_small(directory, **GUARDED))


@pytest.fixture(scope="session")
def again(run_small: Any, guarded: Any) -> Again:
    """Continues a copy of the run, some of whose cells are measured again, by changed plugins or other workers."""

    def run_it(
        directory: Path,
        cells: Callable[[Mapping[str, Any]], bool],
        faults: Sequence[Fault] = (),
        cores: int = 1,
    ) -> Any:
        run = directory / "run"
        shutil.copytree(guarded.directory, run)
        lines = (run / "records.jsonl").read_text().splitlines()
        kept = [line for line in lines if not cells(json.loads(line)["cell"])]
        assert len(kept) < len(lines)
        (run / "records.jsonl").write_text("".join(f"{line}\n" for line in kept))
        paths = [_faulty(directory, fault) for fault in faults]
        with pytest.MonkeyPatch.context() as patch:
            _hide(patch, {path.stem for path in paths})
            patch.setattr("pedbench.engines.open_bench.cores", lambda: cores)
            patch.setattr("pedbench.host.determinism.cores", lambda: cores)
            return run_small(run, paths, **GUARDED)

    return run_it


def _faulty(directory: Path, fault: Fault) -> Path:
    file, old, new = fault
    text = (ROOT / file).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} does not hold the place of the fault: {old}"
    path = directory / Path(file).name
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def _hide(patch: pytest.MonkeyPatch, names: set[str]) -> None:
    """Let plugins of the tree be unknown, so that others can take their names."""
    patch.setattr(
        "pedbench.registry.in_tree", lambda kind: (found for found in in_tree(kind) if found[0] not in names)
    )

"""The script of a first contact, its page, and what its steps find wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pedbench.models.sam.architectures import SMALL
from pedbench.report.words.text import NOTHING
from tools.benchmarks.encoder_costs import encode, encoder, picture
from tools.first_contact import parity
from tools.first_contact.page import UNTRIED, page
from tools.first_contact.setting import Setting, compare
from tools.first_contact.speedups import versions
from tools.first_contact.steps import STEPS, take

ROOT = Path(__file__).parents[2]

INTERPRETER = """#!/bin/sh
shift 2
action=$1 folder=$5
case $action in
  list) echo quick failing endless last ;;
  page) cat "$folder"/*.json "$folder"/*.status ;;
  failing) if [ -e "$folder/repaired" ]; then echo failing > "$folder/failing.json"; else echo broken; exit 3; fi ;;
  endless) if [ -e "$folder/repaired" ]; then echo endless > "$folder/endless.json"; else exec tail -f /dev/null; fi ;;
  *) echo "$action $*" > "$folder/$action.json" ;;
esac
"""


def script(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools" / "first_contact.sh"],
        env=os.environ | {"FOLDER": str(folder), "PYTHON": sys.executable} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_step_that_fails_stops_no_other_and_is_repeated_alone(tmp_path: Path) -> None:
    python, folder = tmp_path / "python", tmp_path / "results"
    python.write_text(INTERPRETER)
    python.chmod(0o755)
    done = script(folder, PYTHON=str(python), LIMIT="1", DEVICE="some")
    assert done.stdout.splitlines() == [
        f"last last --device some --folder {folder}",
        f"quick quick --device some --folder {folder}",
        *("124", "3", "0", "0"),
    ]
    assert (folder / "failing.log").read_text() == "broken\n"
    (folder / "repaired").touch()
    repeated = script(folder, PYTHON=str(python), LIMIT="60", DEVICE="other", SMALL="1")
    assert "quick: done before" in repeated.stderr
    assert "failing: at most 60 s" in repeated.stderr
    assert repeated.stdout.splitlines() == [
        "endless",
        "failing",
        *done.stdout.splitlines()[:2],
        *("0", "0", "0", "0"),
    ]


def test_the_page_shows_what_failed(tmp_path: Path) -> None:
    for name, status in (("parity", "1"), ("mini", "124")):
        (tmp_path / f"{name}.status").write_text(f"{status}\n")
        (tmp_path / f"{name}.log").write_text("".join(f"line {n} in {Path.home()}/x\n" for n in range(30)))
    result = {"device": "cuda", "small": False, "seconds": 2.0}
    costs = {"dtype": "float32", "batch": 8, "seconds": 0.5, "peak_bytes": 3e9}
    rows: list[dict[str, Any]] = [
        {**costs, "program": "segment_anything", "seconds": 2.0},
        {**costs, "program": "pedbench"},
        {"dtype": "float32", "batch": 8, "program": "transformers", "error": "OutOfMemoryError: too | much"},
    ]
    found = {"network": "vit_h", "weights": 637_000_000, "rows": rows}
    (tmp_path / "encoders_vit_h.json").write_text(json.dumps({**result, "result": found}))
    text = page(tmp_path, "cuda")
    assert text.startswith("# First contact with cuda\n")
    assert UNTRIED in text
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["Parity with the CPU", "**failed**, exit status 1", ""] in lines
    assert ["The suite mini", "**out of time**", ""] in lines
    assert ["Encoders: ViT-H", "done", "2.00 s"] in lines
    assert ["Fine-tuning", "not tried", ""] in lines
    assert ["float32", "8", "`pedbench`", "500.0 ms", "16", "0.25", "3.0 GB"] in lines
    assert ["float32", "8", "`transformers`", "failed", *[NOTHING] * 3] in lines
    assert "- transformers: OutOfMemoryError: too \\| much" in text
    assert "    line 29 in ~/x" in text
    assert str(Path.home()) not in text
    assert "    line 14 in" not in text


def test_a_missing_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no 'cuda:99' here"):
        take("parity", Setting(device="cuda:99", folder=tmp_path, small=True))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_hides_no_other() -> None:
    def failing() -> None:
        raise RuntimeError("out of memory\nin detail")

    setting = Setting(device="cpu", folder=Path(), small=True)
    found = compare({"failing": failing, "able": lambda: None}, setting)
    assert found["failing"] == {"error": "RuntimeError: out of memory"}
    assert found["able"].keys() == {"seconds"}


@pytest.mark.slow
def test_a_wrong_encoder_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32 an error of a thousandth is too large, in bfloat16 it is not."""

    def wrong(name: str, *arguments: Any) -> Any:
        built = encoder(name, *arguments)
        if name.startswith("pedbench"):
            built.register_forward_hook(lambda module, inputs, found: found * 1.001)
        return built

    monkeypatch.setattr(parity, "encoder", wrong)
    rows = parity.encoder_errors(SMALL, "cpu")
    allowed = {row["precision"]: row["allowed"] for row in rows if row["program"] == "pedbench"}
    assert allowed["float32"] is allowed["float32 without TF32"] is False
    assert allowed["bfloat16"] is True


@pytest.mark.long
def test_the_compiled_encoder_is_exact() -> None:
    network = encoder("pedbench float32", SMALL)
    setting = Setting(device="cpu", folder=Path(), small=True)
    with pytest.warns(UserWarning, match="lru_cache"):
        found = versions(lambda pixels: encode(network, pixels), picture(SMALL), setting)["compiled"]
    assert found["largest"] < 1e-4
    assert found["seconds"] > 0
    torch.compiler.reset()


COMPUTING = ("environment", "parity", "attention", "encoders_vit_b", "encoders_vit_h", "speedups")
RUNNING = ("mini", "comparison", "training")


def results(folder: Path, steps: Sequence[str]) -> dict[str, Any]:
    """Take steps by the script on a CPU, twice, of which the second time changes nothing; return their results."""
    done = script(folder, DEVICE="cpu", SMALL="1", STEPS=" ".join(steps))
    logs = {name: (folder / f"{name}.log").read_text()[-2000:] for name in steps}
    assert {file.stem for file in folder.glob("*.json")} == set(steps), logs
    assert not done.returncode
    assert "nothing has been tried on one yet" in done.stdout
    assert "**failed**" not in done.stdout
    assert "**out of time**" not in done.stdout
    changed = {file: file.stat().st_mtime_ns for file in folder.glob("*.json")}
    repeated = script(folder, DEVICE="cpu", SMALL="1", STEPS=" ".join(steps))
    assert repeated.stdout == done.stdout == (folder / "page.md").read_text() + "\n"
    assert {file: file.stat().st_mtime_ns for file in folder.glob("*.json")} == changed
    return {name: json.loads((folder / f"{name}.json").read_text())["result"] for name in steps}


def test_no_step_is_left_out() -> None:
    assert (*COMPUTING, *RUNNING) == tuple(STEPS)


@pytest.mark.long
def test_the_script_computes_on_a_cpu(tmp_path: Path) -> None:
    found = results(tmp_path, COMPUTING)
    rows = [*found["parity"]["encoders"], *found["parity"]["masks"], *found["encoders_vit_h"]["rows"]]
    assert [row for row in rows if "error" in row] == []
    assert all(row["allowed"] for row in found["parity"]["encoders"] if row["program"] == "pedbench")
    exact = [row for row in found["attention"]["rows"] if row["dtype"] == "float32" and "error" not in row]
    assert max(row["largest"] for row in exact) < 1e-4
    failed = {row["variant"] for row in found["speedups"]["rows"] if "error" in row}
    assert failed <= {"CUDA graph", "copies from pinned memory, overlapped"}


@pytest.mark.long
def test_the_script_runs_and_trains_on_a_cpu(tmp_path: Path) -> None:
    found = results(tmp_path, RUNNING)
    assert found["mini"]["problems"] == []
    assert [each.split(":")[0] for each in found["mini"]["controls"]] == [
        "control whole picture (full_offload) holds",
        "control decoy (random_payload) holds",
    ]
    assert found["comparison"]["lines"] == []
    assert found["comparison"]["verdicts"]["same"] > 0
    distances = [row["distance"] for row in found["training"]["log"] if "distance" in row]
    assert distances[-1] < distances[0]

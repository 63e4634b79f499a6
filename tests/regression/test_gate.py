"""The gate at work: what repeats itself passes, what changed is caught and named.

Budget: 90 s of one core for this folder. It takes one whole run of 18 cells, two repeats, one with changed plugins, and
one of which some cells are measured again by others, about 10 s of one core each.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pedbench.cli import main
from pedbench.regression.accept import accept
from pedbench.regression.baseline import read_baseline
from pedbench.regression.compare import compare
from pedbench.regression.measured import measured_run
from pedbench.regression.verdicts import Line

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FULL = "defenses/full_offload.py"
BLUR = "defenses/gaussian_blur.py"
PED_SAM = "defenses/ped_sam.py"
COMPLETION = "attacks/completion.py"

WEAKER_BLUR = (BLUR, "return blur(frame, self.sigma *", "return blur(frame, 0.8 * self.sigma *")

ONE_MORE_WINDOW = (
    PED_SAM,
    "        return edge.finish(tokens, self.weights)",
    """\
        from pedbench.offload.passes.scatter import window_payloads
        from pedbench.pictures.frame import to_uint8

        more = {server: assignment[(server + 1) % self.servers][:1] for server in assignment}
        network = edge.networks.network(self.weights)
        payloads = window_payloads(network, to_uint8(frame), more, "pixels")
        arguments = {"weights": self.weights, "reply": self.reply}
        for pending in cloud.send(payloads, "encode_windows", arguments).values():
            pending.result()
        return edge.finish(tokens, self.weights)

    def max_share(self, frame, grid):
        return 1.0
""",
)

MEAN_COLOUR = (
    COMPLETION,
    "return complete_frames(self.network, views)",
    "return [np.tile(view.prior.mean_colour, (*view.frame_size, 1)).astype(np.float32) for view in views]",
)

COARSE_TOKENS = (
    PED_SAM,
    "edge.finish(tokens, self.weights)",
    "edge.finish(0.48 * tokens, self.weights)",
)


def gate(capsys: pytest.CaptureFixture[str], baseline: Path, run: Path, *options: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["gate", "--baseline", str(baseline), "--run", str(run), *options])
    captured = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, captured.out + captured.err


@pytest.fixture(scope="session")
def repeat(again: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The whole run once more, with two workers."""
    return again(tmp_path_factory.mktemp("repeat"), lambda cell: True, cores=2)


@pytest.fixture(scope="session")
def baseline(guarded: Any, repeat: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baseline") / "guarded-v1.jsonl"
    assert "The first baseline." in accept(guarded.directory, [repeat.directory], path, "A beginning.")
    return path


@pytest.fixture(scope="session")
def exposed(again: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The blur is weaker, ped_sam sends each server one more window, and full offloading has another version."""
    faults = [WEAKER_BLUR, ONE_MORE_WINDOW, raised(FULL)]
    return again(tmp_path_factory.mktemp("exposed"), lambda cell: True, faults)


def version(file: str) -> int:
    (found,) = re.findall(r"^    version = (\d+)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    return int(found)


def raised(file: str) -> tuple[str, str, str]:
    """The fault of another version."""
    now = version(file)
    return file, f"    version = {now}\n", f"    version = {now + 1}\n"


def failing(baseline: Path, run: Path) -> dict[tuple[str, str], list[Line]]:
    """The lines that fail by defense and attack."""
    found: dict[tuple[str, str], list[Line]] = {}
    for line in compare(read_baseline(baseline)[0], measured_run(run)):
        if line.fails:
            found.setdefault((line.defense, line.attack), []).append(line)
    return found


def judged(lines: list[Line]) -> dict[str, str]:
    return {line.metric: line.verdict for line in lines}


def test_what_repeats_itself_passes(
    baseline: Path, guarded: Any, repeat: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # python -m tools.release.gate_reruns does the same twenty times.
    for run in (guarded, repeat):
        status, out = gate(capsys, baseline, run.directory)
        assert status == 0, out
        assert "54 same" in out


@pytest.mark.long
def test_a_weaker_blur_is_caught_and_named(
    baseline: Path, exposed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = failing(baseline, exposed.directory)
    (leak,) = found["gaussian_blur", "read_degraded"]
    assert (leak.metric, leak.verdict) == ("leakage[RMSE]", "worse")
    # It is less blurred, so its masks are better; that fails, too.
    assert judged(found["gaussian_blur", ""])["mIoU[1 click]"] == "better"
    status, out = gate(capsys, baseline, exposed.directory)
    assert status == 1
    assert "the source changed, the version did not: `gaussian_blur`, `ped_sam`" in out


def test_one_more_window_for_each_server_is_caught_and_named(baseline: Path, exposed: Any) -> None:
    found = judged(failing(baseline, exposed.directory)["ped_sam", ""])
    for metric in ("visible share", "content share", "bytes up", "bytes down"):
        assert found[metric] == "worse"


@pytest.mark.long
def test_an_attack_that_broke_and_a_drop_in_iou_are_caught_and_named(
    baseline: Path, again: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def cells(cell: Any) -> bool:
        attacked = cell.get("attack", {}).get("name") == "completion"
        return bool(attacked or (cell["kind"] == "utility" and cell["defense"]["name"] == "ped_sam"))

    run = again(tmp_path, cells, [MEAN_COLOUR, COARSE_TOKENS])
    found = failing(baseline, run.directory)
    assert set(found) == {("ped_sam", ""), ("ped_sam", "completion")}
    attacked = found["ped_sam", "completion"]
    assert judged(attacked) == {"leakage[RMSE]": "better", "advantage[RMSE]": "better"}
    drop = next(line for line in found["ped_sam", ""] if line.region == "all")
    assert (drop.metric, drop.verdict) == ("mIoU[1 click]", "worse")
    assert drop.difference == pytest.approx(-0.03, abs=0.01)
    status, out = gate(capsys, baseline, run.directory)
    assert status == 1
    assert "of `ped_sam` under `completion`" in out
    assert "the source changed, the version did not: `ped_sam`, `completion`" in out


def test_a_changed_version_is_named(baseline: Path, guarded: Any, exposed: Any) -> None:
    found = failing(baseline, exposed.directory)
    lines = [line for (defense, _), of in found.items() for line in of if defense == "full_offload"]
    assert len(lines) == len(guarded.of("full_offload"))
    for line in lines:
        assert line.verdict == "not comparable"
        assert line.note == f"defense full_offload: version {version(FULL)} -> {version(FULL) + 1}"


def test_a_missing_cell_is_caught_and_named(baseline: Path, guarded: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(guarded.directory, run)
    (lost,) = guarded.of("ped_sam", attack="completion")
    plan = [cell_id for cell_id in json.loads((run / "cells.json").read_text()) if cell_id != lost.cell_id]
    (run / "cells.json").write_text(json.dumps(plan))
    ((line,),) = failing(baseline, run).values()
    assert (line.cell_id, line.defense, line.attack) == (lost.cell_id, "ped_sam", "completion")
    assert (line.verdict, line.note) == ("missing", "the run has no such cell")


def test_an_improvement_fails_until_it_is_accepted(
    exposed: Any, guarded: Any, repeat: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "exposed-v1.jsonl"
    copy = tmp_path / "copy"
    shutil.copytree(exposed.directory, copy)
    accept(exposed.directory, [copy], path, "With a weak blur.")
    status, out = gate(capsys, path, guarded.directory)
    assert status == 1
    assert "**better**" in out
    entry = accept(guarded.directory, [repeat.directory], path, "The blur is as strong as it says.")
    assert "visible share" in entry
    assert gate(capsys, path, guarded.directory)[0] == 0

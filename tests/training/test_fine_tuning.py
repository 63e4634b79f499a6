"""Fine-tuning in PED order: that stopping changes nothing, what it learns, and what is said of the result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from pedbench.errors import CheckpointError, DatasetError
from pedbench.fetching.digests import digest
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import PED_MINI, SAM_MINI, SAM_TINY
from pedbench.models.sam.assembly import build_sam
from pedbench.models.sam.checkpoints import load_sam, read_state, save_sam, write_tensors
from pedbench.models.sam.reorder import variant
from pedbench.training.core.loop import Schedule
from pedbench.training.data.photographs import Photographs
from tests.training.short_fine_tuning import STEPS, fine_tuning, recipe

pytestmark = pytest.mark.long

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from short_fine_tuning import fine_tuning
fine_tuning(Path(sys.argv[1]), Path(sys.argv[2]), say=lambda line: print(line, flush=True)).run()
"""


@pytest.fixture(scope="module")
def uninterrupted(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    fine_tuning(images, out).run()
    return out


class _Killed(BaseException):
    pass


def _same(found: Path, expected: Path) -> None:
    for name in ("ped-mini.safetensors", "README.md", "manifest.json", "training/best.safetensors"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    states = [torch.load(out / "training" / "last.pt", weights_only=True) for out in (found, expected)]
    for part in ("network", "average"):
        assert all(torch.equal(states[0][part][name], states[1][part][name]) for name in states[1][part])


@pytest.mark.long
def test_killed_after_every_step_it_ends_at_the_same_bytes(
    images: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    def dies_at(step: int) -> Any:
        def say(line: str) -> None:
            if line.startswith(f"step {step}/"):
                raise _Killed

        return say

    for step in range(1, STEPS + 1):
        with pytest.raises(_Killed):
            fine_tuning(images, tmp_path / "out", say=dies_at(step)).run()
    fine_tuning(images, tmp_path / "out").run()
    _same(tmp_path / "out", uninterrupted)


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_stopped_by_a_signal_it_ends_at_the_same_bytes(
    stop: signal.Signals, images: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, str(images), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = next(line for line in process.stdout if line.startswith("step 2/"))
        process.send_signal(stop)
        rest = process.stdout.read()
    assert seen
    assert process.returncode != 0
    if stop == signal.SIGTERM:
        assert "the same command goes on from here" in rest
        assert torch.load(tmp_path / "out" / "training" / "last.pt", weights_only=True)["step"] < STEPS
    assert not (tmp_path / "out" / "ped-mini.safetensors").exists()
    fine_tuning(images, tmp_path / "out").run()
    _same(tmp_path / "out", uninterrupted)


@pytest.mark.long
def test_two_processes_learn_what_one_does(images: Path, uninterrupted: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    subprocess.run(
        [sys.executable, *launch, str(script), str(images), str(tmp_path / "out")],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    start = variant(load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI), "reordered").state_dict()
    one, two = (
        torch.load(out / "training" / "last.pt", weights_only=True)["average"]
        for out in (uninterrupted, tmp_path / "out")
    )
    apart, moved = (
        sum(float((two[name] - other[name]).square().sum()) for name in two) for other in (one, start)
    )
    assert moved > 0
    assert apart < 0.1**2 * moved


def test_it_comes_nearer_to_its_teacher_and_touches_the_encoder_alone(
    images: Path, uninterrupted: Path
) -> None:
    teacher = load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI)
    network = build_sam(PED_MINI)
    state = torch.load(uninterrupted / "training" / "last.pt", weights_only=True)
    network.load_state_dict(state["average"])
    frames = Photographs(images, None, held_out=1, seed=0).batch(
        0, size=2, part=slice(None), canvas=320, points=0
    )
    pixels = frames.images.float() / 128 - 1
    with torch.no_grad():
        before, after = (
            (each.image_encoder(pixels) - teacher.image_encoder(pixels)).square().mean()
            for each in (variant(teacher, "reordered"), network)
        )
    assert after < 0.98 * before
    for name, value in teacher.state_dict().items():
        if not name.startswith("image_encoder."):
            assert torch.equal(network.state_dict()[name], value), name


def test_the_card_says_what_the_weights_are(uninterrupted: Path) -> None:
    card = (uninterrupted / "README.md").read_text()
    assert vars(ModelCard(card).data)["license"] == "apache-2.0"
    assert digest(uninterrupted / "ped-mini.safetensors") in card
    assert digest(ASSETS / "sam-mini.safetensors") in card
    manifest = json.loads((uninterrupted / "manifest.json").read_text())["ped-mini"]
    assert manifest["sha256"] == digest(uninterrupted / "ped-mini.safetensors")
    assert [f"| {step} |" in card.replace("*", "") for step in (0, 2, 4)] == [True] * 3
    assert f"{manifest['scores']['agreement']:.4f}" in card


@pytest.mark.long
def test_parts_of_a_step_add_up_and_masks_and_annotations_count(scene_folder: Path, tmp_path: Path) -> None:
    common: dict[str, Any] = {
        "annotations": scene_folder / "annotations" / "instances.json",
        "recipe": recipe(masks="annotations", every=STEPS, schedule=Schedule(steps=2, warmup=1)),
    }
    outs = [tmp_path / "whole", tmp_path / "parts"]
    scores = [
        fine_tuning(scene_folder / "images", out, at_once=at_once, **common).run()
        for out, at_once in zip(outs, (2, 1), strict=True)
    ]
    assert scores[0]["retention"] == pytest.approx(scores[0]["mIoU"] / scores[0]["teacher's mIoU"])
    whole, parts = (read_state(out / "ped-mini.safetensors") for out in outs)
    assert all(torch.allclose(whole[name], parts[name], atol=2e-4) for name in whole)


@pytest.mark.long
def test_it_stops_early_and_keeps_the_best(images: Path, tmp_path: Path) -> None:
    # A rate of zero never improves on the start.
    still = recipe(every=1, patience=2, schedule=Schedule(steps=STEPS, warmup=1, rate=0.0))
    lines: list[str] = []
    kept = fine_tuning(images, tmp_path / "out", recipe=still, say=lines.append).run()
    assert kept["step"] == 0
    assert torch.load(tmp_path / "out" / "training" / "last.pt", weights_only=True)["step"] == 2
    reordered = variant(load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI), "reordered").state_dict()
    found = read_state(tmp_path / "out" / "ped-mini.safetensors")
    assert all(torch.equal(found[name], reordered[name]) for name in found)


def test_the_teacher_is_told_by_its_weights(images: Path, tmp_path: Path) -> None:
    save_sam(
        variant(load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI), "reordered"),
        tmp_path / "ped.safetensors",
    )
    write_tensors({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    tiny = build_sam(SAM_TINY)
    save_sam(tiny, tmp_path / "tiny.pth")
    for name, found in (
        ("ped.safetensors", r"\[6, 7\] are global"),
        ("other.safetensors", "1 tensors that are no SAM"),
        ("tiny.pth", "with 4 blocks of width 64"),
    ):
        with pytest.raises(
            CheckpointError, match=rf"{found}.*\nexpected one of vit_b, vit_l, vit_h, sam-mini"
        ):
            fine_tuning(images, tmp_path / "out", teacher=str(tmp_path / name))
    assert not (tmp_path / "out").exists()


def test_unfit_input_is_told_in_a_sentence(images: Path, uninterrupted: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no picture"):
        fine_tuning(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(DatasetError, match="found 6 pictures to hold out, expected 7; add pictures"):
        fine_tuning(images, tmp_path / "out", recipe=recipe(held_out=7))
    with pytest.raises(ValueError, match=r"found 5 pictures to train on .* fewer than the 6 of a step"):
        fine_tuning(images, tmp_path / "out", recipe=recipe(batch=6))
    with pytest.raises(ValueError, match=r"holds another training \(its recipe differ"):
        fine_tuning(images, uninterrupted, recipe=recipe(seed=1))
    other = tmp_path / "weights"
    other.mkdir()
    shutil.copy(ASSETS / "sam-tiny.safetensors", other)
    with pytest.raises(ValueError, match="holds other weights; name another folder with --out"):
        fine_tuning(images, other)

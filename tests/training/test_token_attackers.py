"""Trainings of decoders and of sharpening networks for real models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.models.attackers.restoration import load_restoration
from pedbench.models.attackers.sharpening import (
    SharpeningNetwork,
    SharpeningSizes,
    load_sharpening,
)
from pedbench.models.attackers.sized import save_sized
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import PED_MINI, SAM_MINI
from pedbench.models.sam.checkpoints import read_state
from pedbench.training.fine_tuning import deblur
from pedbench.training.fine_tuning.decoder import find_sam
from tests.training.short_attackers import make_pictures, recipe, same_after_kills, tiny_sam, training


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("attackers") / "pictures")


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sam(tmp_path_factory.mktemp("public") / "tiny-sam")


@pytest.fixture
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of 128 pixels, whose linear estimates take little time."""
    monkeypatch.setattr(deblur, "FRAME", 128)


def _losses(out: Path, name: str) -> list[float]:
    rows = [json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


@pytest.mark.long
def test_a_decoder_killed_after_every_step_ends_at_the_same_bytes(
    sam: Path, pictures: Path, tmp_path: Path
) -> None:
    out = same_after_kills("decoder", str(sam), pictures, tmp_path)
    sizes = load_restoration(out / "decoder-interleaved-tiny-sam.safetensors").sizes
    assert (sizes.token_channels, sizes.token_side, sizes.canvas) == (32, 64, 256)
    card = (out / "README.md").read_text()
    assert "those that 2 of its 3 blocks have passed" in card


@pytest.mark.long
def test_a_decoder_learns(sam: Path, pictures: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    run = training("decoder", str(sam), pictures, tmp_path / "out", recipe=recipe(16), say=lines.append)
    assert any(line.strip().startswith("encoder") for line in lines[1].splitlines())
    course: Any = run._course
    content = course.make_batch(0)[0].content
    before = float(course.losses(0, content)[0].detach())
    kept = run.run()
    assert float(course.losses(0, content)[0].detach()) < 0.8 * before
    assert kept["hidden PSNR"] > _losses(tmp_path / "out", "validation hidden PSNR")[0] + 0.3


def test_the_order_of_blocks_names_the_decoder(tmp_path: Path) -> None:
    assert find_sam("sam-mini")[0] == SAM_MINI
    assert find_sam(str(ASSETS / "ped-mini.safetensors"))[0] == PED_MINI
    with pytest.raises(CheckpointError, match=r"no such file"):
        find_sam(str(tmp_path / "sam.pth"))


def test_a_missing_sam_comes_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    for start, command in (("vit_b", "pedbench fetch sam_vit_b"), ("ped-vit_b", "pedbench train ped-sam")):
        with pytest.raises(CheckpointError, match=rf"no weights of {start}: {command}"):
            find_sam(start)


@pytest.mark.slow
def test_a_decoder_in_ped_order_reads_all_window_blocks(pictures: Path, tmp_path: Path) -> None:
    course: Any = training("decoder", "ped-mini", pictures, tmp_path / "out")._course
    assert course.name == "decoder-ped-mini"
    task, content = course._task, course.make_batch(0)[0].content
    (tokens, _), encoder = task._tokens(content), task.frozen["encoder"]
    pixels = (content.pictures.images * 255 - task._encoder.pixel_mean) / task._encoder.pixel_std
    state = encoder.patch_embed(pixels * content.pictures.inside) + encoder.pos_embed
    for block in encoder.blocks[:6]:
        state = block(state)
    torch.testing.assert_close(tokens.permute(0, 2, 3, 1), state)


@pytest.mark.long
@pytest.mark.usefixtures("small_frames")
def test_a_sharpening_network_killed_after_every_step_ends_at_the_same_bytes(
    pictures: Path, tmp_path: Path
) -> None:
    out = same_after_kills("deblur", "", pictures, tmp_path)
    assert load_sharpening(out / "deblur-photographs.safetensors").sizes.width == 64


@pytest.mark.slow
@pytest.mark.usefixtures("small_frames")
def test_a_sharpening_network_learns(pictures: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = SharpeningNetwork(SharpeningSizes(width=8, blocks=1))
    torch.nn.init.normal_(start.leave.weight, std=0.2)
    save_sized(start, tmp_path / "random.safetensors")
    learning = recipe(20, rate=5e-3, every=10)
    kept = training(
        "deblur", str(tmp_path / "random.safetensors"), pictures, tmp_path / "out", recipe=learning
    ).run()
    gains = [value for name, value in kept.items() if name.startswith("dB gained on")]
    assert len(gains) == 3
    assert kept["mean dB gained"] == pytest.approx(np.mean(gains))
    assert kept["mean dB gained"] > _losses(tmp_path / "out", "validation mean dB gained")[0] + 3
    losses = _losses(tmp_path / "out", "absolute")
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.usefixtures("small_frames")
def test_a_new_sharpening_network_returns_the_linear_estimate(pictures: Path, tmp_path: Path) -> None:
    course: Any = training("deblur", "", pictures, tmp_path / "out")._course
    assert course.scores(course.network.eval())["mean dB gained"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("small_frames")
def test_a_sharpening_network_starts_from_another(pictures: Path, tmp_path: Path) -> None:
    course: Any = training("deblur", "deblur-mini", pictures, tmp_path / "out")._course
    expected = read_state(ASSETS / "deblur-mini.safetensors")
    assert all(torch.equal(course.network.state_dict()[name], expected[name]) for name in expected)

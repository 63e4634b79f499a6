"""Attackers' networks for real models: what their training sees, that stopping changes nothing, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.fetching.digests import digest
from pedbench.inversion.masked_autoencoder import PatchLayout
from pedbench.models.attackers.vitmae import load_pixel_autoencoder
from pedbench.models.sam.architectures import VIT_B
from pedbench.training.data.coalition_masks import draw_coalition, held_patches, held_pixels
from pedbench.training.data.photograph_pictures import PhotographPictures
from pedbench.training.data.photographs import Photographs
from tests.made_models import make_autoencoder
from tests.training.short_attackers import make_pictures, recipe, same_after_kills, training


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("attackers") / "pictures")


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViTMAE of the public sizes of picture and patch, whose targets were normalised pixels."""
    return make_autoencoder(tmp_path_factory.mktemp("public") / "tiny-mae", side=224, norm_pix_loss=True)


@pytest.mark.slow
def test_a_completion_killed_after_every_step_ends_at_the_same_bytes(
    autoencoder: Path, pictures: Path, tmp_path: Path
) -> None:
    out = same_after_kills("completion", str(autoencoder), pictures, tmp_path)
    file = out / "completion-tiny-mae" / "model.safetensors"
    card, manifest = (out / "README.md").read_text(), json.loads((out / "manifest.json").read_text())
    assert manifest["completion-tiny-mae"]["sha256"] == digest(file)
    assert digest(file) in card
    assert digest(autoencoder / "model.safetensors") in card
    assert str(autoencoder) not in card
    with pytest.raises(ValueError, match=r"holds another training \(its recipe differs"):
        training("completion", str(autoencoder), pictures, out, recipe=recipe(masks="random"))
    with pytest.raises(ValueError, match=r"--masks: expected ped_sam or random, found 'blocks'"):
        training("completion", str(autoencoder), pictures, tmp_path / "new", recipe=recipe(masks="blocks"))


@pytest.mark.slow
@pytest.mark.parametrize("masks", ["ped_sam", "random"])
def test_a_completion_learns_to_predict_pixels(
    masks: str, autoencoder: Path, pictures: Path, tmp_path: Path
) -> None:
    trained = training(
        "completion", str(autoencoder), pictures, tmp_path / "out", recipe=recipe(30, masks=masks, rate=5e-3)
    )
    kept = trained.run()
    rows = [json.loads(line) for line in (tmp_path / "out/training/log.jsonl").read_text().splitlines()]
    losses = [row["squares"] for row in rows if "squares" in row]
    assert losses[-1] < 0.9 * losses[0]
    first = json.loads((tmp_path / "out/training/log.jsonl").read_text().splitlines()[0])
    assert kept["hidden PSNR"] > first["validation hidden PSNR"] + 0.5
    # The public weights predict normalised pixels; the trained ones pixels, over 15 x 15 patches.
    network = load_pixel_autoencoder(str(tmp_path / "out/completion-tiny-mae"))
    assert (network.side, network.patch) == (240, 16)


def test_training_shows_the_patches_that_the_attack_keeps() -> None:
    grid, rng = VIT_B.grid, np.random.default_rng(0)
    over = PatchLayout(canvas=1120, count=15, patch=16)
    for frame in [(1024, 1024), (683, 1024), (1024, 300), (70, 1024), (768, 1024)]:
        for _ in range(20):
            windows = draw_coalition(frame, grid, rng)
            seen = held_pixels(windows, frame, grid)[: frame[0], : frame[1]]
            np.testing.assert_array_equal(held_patches(windows, frame, grid, 3), over.kept(seen))


def test_pictures_lie_on_the_canvas_as_the_attack_lays_them(pictures: Path) -> None:
    photographs = Photographs(pictures, None, held_out=2, seed=0)
    source = PhotographPictures(photographs=photographs, frame=1024, canvas=1120, side=240)
    assert len(source) == 2
    found = source.unaltered(0, 2)
    for place in range(2):
        height, width = found.sizes[place]
        assert max(height, width) == 1024
        rows, columns = found.inside[place, 0].sum(0).max(), found.inside[place, 0].sum(1).max()
        assert (int(rows), int(columns)) == (round(height * 240 / 1120), round(width * 240 / 1120))
        assert not (found.images[place] * (1 - found.inside[place])).any()
    first, second = (source.draw(size=2, seed=0, step=3) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert first.rng.random() == second.rng.random()


@pytest.mark.slow
def test_parts_of_a_step_count_all_its_pictures(autoencoder: Path, pictures: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    course: Any = training(
        "completion", str(autoencoder), pictures, tmp_path / "out", at_once=1, say=lines.append
    )._course
    batch = course.make_batch(0)
    assert [part.share for part in batch] == [0.5, 0.5]
    loss, values = course.loss(0, batch)
    loss.backward()
    summed = {name: p.grad.clone() for name, p in course.network.named_parameters() if p.grad is not None}
    course.network.zero_grad()
    apart = sum(course.losses(0, part.content)[0] for part in batch) / 2
    apart.backward()
    assert values["squares"] == pytest.approx(float(apart.detach()), rel=1e-5)
    for name, parameter in course.network.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(summed[name], parameter.grad, rtol=1e-4, atol=1e-6)
    assert any("activations of 1 pictures, about" in line for line in lines)

"""The mini pipeline for inpainting: its size, its loss, its solver and its inputs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from pedbench.inversion.read_out import fill_with_nearest
from pedbench.models.attackers.inpaint_mini import (
    InpaintMini,
    build_inpaint_mini,
    fold,
    inpainting_loss,
    known,
    painted_size,
)
from pedbench.models.attackers.inpainting import load_inpainting
from pedbench.types import Patch, Picture, Prior, View

PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


def _picture(size: tuple[int, int], seed: int = 0) -> Picture:
    picture: Picture = (np.random.default_rng(seed).integers(0, 256, (*size, 3)) / 255).astype(np.float32)
    return picture


def test_the_mini_pipeline_is_small_and_survives_saving(tmp_path: Path) -> None:
    built = build_inpaint_mini("completion-mini")
    built.save_pretrained(tmp_path)
    found = load_inpainting(str(tmp_path))
    loaded = found.pipeline
    assert isinstance(loaded, InpaintMini)
    assert found.guesser is not None
    assert sum(values.numel() for values in built.unet.parameters()) < 2e6
    for name, values in built.unet.state_dict().items():
        assert torch.equal(values, loaded.unet.state_dict()[name])
    for name in ("beta_schedule", "prediction_type", "timestep_spacing"):
        assert loaded.scheduler.config[name] == built.scheduler.config[name]


class _Oracle(torch.nn.Module):
    """Knows what the first guess lacks."""

    def __init__(self, unet: Any, difference: torch.Tensor) -> None:
        super().__init__()
        self.config, self.difference = unet.config, difference
        self.dtype, self.device = torch.float32, torch.device("cpu")

    def forward(self, inputs: torch.Tensor, time: torch.Tensor) -> Any:
        return type("Output", (), {"sample": fold(self.difference)})


def test_the_solver_ends_where_a_perfect_network_points() -> None:
    """The loss's target is what the pipeline adds: the network that has no loss paints the picture itself."""
    built = build_inpaint_mini()
    picture, guess = torch.rand(2, 1, 3, 48, 64) * 2 - 1
    masks = torch.zeros(1, 1, 48, 64)
    masks[:, :, 7:40, 16:49] = 1
    oracle = _Oracle(built.unet, 3 * (picture - guess))
    assert inpainting_loss(oracle, picture, guess, masks, torch.Generator().manual_seed(0)) < 1e-6
    pipeline = InpaintMini(unet=built.unet, scheduler=built.scheduler)
    pipeline.unet = oracle
    pipeline.set_progress_bar_config(disable=True)
    for steps in (1, 4):
        painted = pipeline(
            image=guess / 2 + 0.5,
            mask_image=masks,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(1),
            output_type="pt",
        ).images
        expected = torch.where(masks > 0, picture, guess) / 2 + 0.5
        torch.testing.assert_close(painted, expected, atol=1e-4, rtol=0)


def test_the_loss_is_that_of_hidden_pixels() -> None:
    class Same(torch.nn.Module):
        def forward(self, inputs: torch.Tensor, time: torch.Tensor) -> Any:
            seen.append(inputs)
            return type("Output", (), {"sample": torch.zeros_like(inputs[:, :12])})

    seen: list[torch.Tensor] = []
    rng = np.random.default_rng(0)
    pictures, guesses = (
        torch.from_numpy(rng.uniform(-1, 1, (2, 3, 16, 24)).astype(np.float32)) for _ in "ab"
    )
    masks = torch.zeros(2, 1, 16, 24)
    masks[:, :, 3:10, 5:] = 1
    loss = inpainting_loss(Same(), pictures, guesses, masks, torch.Generator().manual_seed(5))
    other = torch.where(masks > 0, pictures, torch.rand_like(pictures))
    inpainting_loss(Same(), other, guesses, masks, torch.Generator().manual_seed(5))
    assert torch.equal(*seen)
    hidden, truth = masks.numpy() > 0, pictures.numpy().astype(np.float64)
    errors = np.where(hidden, guesses.numpy() - truth, 0)
    expected = np.abs(errors).sum() / (3 * hidden.sum())
    for axis in (2, 3):
        steps = np.abs(np.diff(truth, axis=axis)).mean(axis=1)
        contrast = np.stack([uniform_filter(plane, 5, mode="constant") for plane in steps])[:, None]
        weights = 4 * 0.03 / (contrast + 0.03)
        expected += (weights * np.abs(np.diff(errors, axis=axis))).sum() / (3 * hidden.sum())
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_the_network_is_given_nearest_pixels_and_the_first_guess() -> None:
    frame = _picture((48, 64))
    view = View(
        frame_size=(48, 64), patches=(Patch(picture=frame[:17, 20:], top=0, left=20, server=0),), prior=PRIOR
    )
    hidden = torch.from_numpy(~view.canvas()[1])[None, None].float()
    guess = torch.from_numpy(np.where(view.canvas()[1][..., None], frame, 0.25)).permute(2, 0, 1)[None]
    mask, nearest, first = torch.split(known(guess, hidden), [4, 12, 12], dim=1)
    unfolded = [torch.nn.functional.pixel_shuffle(each, 2) for each in (mask, nearest, first)]
    expected = torch.from_numpy(fill_with_nearest(view)).permute(2, 0, 1)[None]
    for found, planes in zip(unfolded, (hidden, expected, guess), strict=True):
        assert torch.equal(found, planes)
    assert torch.equal(known(guess, torch.ones_like(hidden))[:, 4:16], fold(guess))


def test_frames_keep_their_shape_when_painted() -> None:
    assert painted_size((240, 320)) == (120, 160)
    assert painted_size((320, 320)) == (160, 160)
    assert painted_size((768, 1024), 512) == (384, 512)
    assert painted_size((2, 1024)) == (8, 160)

"""Inpainting by diffusion: the mini pipeline, and a Stable Diffusion pipeline of diffusers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from pedbench.adversary.isolation.facts import describe
from pedbench.errors import CheckpointError
from pedbench.inversion.read_out import fill_with_nearest
from pedbench.models.attackers.inpaint_mini import solving
from pedbench.models.attackers.inpainting import load_inpainting
from pedbench.models.manifest import ASSETS
from pedbench.plugins.attacks.completion import Completion
from pedbench.plugins.attacks.diffusion_inpaint import DiffusionInpaint
from pedbench.registry import Registry
from pedbench.types import Patch, Picture, Prior, View
from tests.made_models import make_inpaint_mini, make_inpainting

PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_inpaint_mini(tmp_path_factory.mktemp("mini") / "pipeline")


@pytest.fixture(scope="module")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion inpainting pipeline with all its parts, as small as they can be."""
    return make_inpainting(tmp_path_factory.mktemp("stable-diffusion") / "pipeline")


def _attack(folder: Path, **params: Any) -> DiffusionInpaint:
    attack = DiffusionInpaint(model=str(folder), steps=2, **{"samples": 2} | params)
    attack.prepare("cpu")
    return attack


def _picture(size: tuple[int, int], seed: int = 0) -> Picture:
    picture: Picture = (np.random.default_rng(seed).integers(0, 256, (*size, 3)) / 255).astype(np.float32)
    return picture


def _view(frame: Picture) -> View:
    tiles = tuple(
        Patch(picture=frame[top : top + 64, left : left + 64], top=top, left=left, server=0)
        for top, left in ((0, 64), (128, 192))
    )
    return View(frame_size=(frame.shape[0], frame.shape[1]), patches=tiles, prior=PRIOR)


def _guess(attack: DiffusionInpaint, view: View, seed: int = 0) -> Picture:
    guess: Picture = attack.reconstruct(view, np.random.default_rng(seed))
    return guess


def test_a_pipeline_refines_the_completion_of_the_network_that_it_names(tmp_path: Path) -> None:
    folder = make_inpaint_mini(tmp_path / "pipeline", guesser="completion-mini")
    attack, view = _attack(folder, samples=1), _view(_picture((240, 320)))
    assert attack.files == (folder.resolve(), ASSETS / "completion-mini")
    last = attack.network.pipeline.unet.conv_out
    for values in last.parameters():
        torch.nn.init.zeros_(values)
    completion = Completion()
    completion.prepare("cpu")
    completed = completion.reconstruct(view, np.random.default_rng(0))
    canvas, seen = view.canvas()
    distances = distance_transform_edt(~seen)[..., None]
    smooth = np.stack([gaussian_filter(completed[..., c], 2) for c in range(3)], axis=2)
    blend = smooth + np.exp(-distances / 16) * (fill_with_nearest(view) - smooth)
    unchanged = np.where(seen[..., None], canvas, blend)
    np.testing.assert_allclose(_guess(attack, view), unchanged, atol=1e-5)
    # A network that adds 0.1 everywhere changes hidden pixels alone.
    torch.nn.init.constant_(last.bias, 0.6)
    added = (_guess(attack, view) - unchanged)[128:192, 192:256]
    assert not added.any()
    far = distances[..., 0] > 12
    lighter = (_guess(attack, view) - unchanged)[far & (unchanged < 0.85).all(axis=2)]
    np.testing.assert_allclose(lighter, 0.1, atol=5e-3)


def test_hidden_pixels_have_no_influence(mini: Path) -> None:
    attack = _attack(mini)
    first, second = _picture((240, 320)), _picture((240, 320), seed=1)
    for top, left in ((0, 64), (128, 192)):
        place = np.s_[top : top + 64, left : left + 64]
        second[place] = first[place]
    guess = _guess(attack, _view(first))
    assert guess.tobytes() == _guess(attack, _view(second)).tobytes()
    assert guess.tobytes() != _guess(attack, _view(first), seed=1).tobytes()
    np.testing.assert_array_equal(guess[:64, 64:128], first[:64, 64:128])
    assert guess.dtype == np.float32
    assert guess.shape == first.shape


@pytest.mark.parametrize("folder", ["mini", "stable_diffusion"])
def test_frames_of_all_shapes(folder: str, request: pytest.FixtureRequest) -> None:
    attack = _attack(request.getfixturevalue(folder), samples=1)
    for size in ((240, 320), (96, 40), (8, 8)):
        view = View(frame_size=size, prior=PRIOR)
        guess = _guess(attack, view)
        assert guess.shape == (*size, 3)
        assert np.isfinite(guess).all()
        assert 0 <= guess.min() <= guess.max() <= 1


def test_a_pipeline_of_diffusers_runs_as_it_is(stable_diffusion: Path) -> None:
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionInpaintPipeline

    attack, frame = _attack(stable_diffusion, samples=1), _picture((240, 320))
    view = _view(frame)
    guess = _guess(attack, view)
    # The same by hand.
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(stable_diffusion, safety_checker=None)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    canvas, seen = view.canvas()
    from scipy.ndimage import distance_transform_edt
    from torch.nn.functional import interpolate

    rows, columns = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    filled = torch.tensor(canvas[rows, columns]).permute(2, 0, 1)[None]
    small = interpolate(filled, (48, 64), mode="bicubic", antialias=True).clamp(0, 1)
    hidden = ~torch.tensor(seen)[None, None]
    mask = interpolate(hidden.double(), (48, 64), mode="area") > 0
    seed = int(np.random.default_rng(0).integers(2**62, size=1)[0])
    with solving():
        sample = pipeline(
            prompt="",
            image=small.permute(0, 2, 3, 1).numpy(),
            mask_image=mask.permute(0, 2, 3, 1).float().numpy(),
            height=48,
            width=64,
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).images
    together = torch.where(mask, torch.tensor(sample).permute(0, 3, 1, 2), small)
    large = interpolate(together, (240, 320), mode="bicubic", antialias=True).clamp(0, 1)
    expected = np.where(seen[..., None], canvas, large[0].permute(1, 2, 0).numpy())
    np.testing.assert_allclose(guess, expected, atol=1e-5)
    assert _guess(_attack(stable_diffusion, samples=1, caption="a room"), view).tobytes() != guess.tobytes()


def test_half_precision_alone_is_computed_in_float32(tmp_path: Path) -> None:
    attack = _attack(make_inpainting(tmp_path / "half", variant="fp16"), samples=1)
    kinds = {part.dtype for part in attack.network.pipeline.components.values() if hasattr(part, "dtype")}
    assert kinds == {torch.float32}
    guess = _guess(attack, _view(_picture((240, 320))))
    assert np.isfinite(guess).all()


def test_what_is_no_such_pipeline_is_refused(tmp_path: Path, mini: Path) -> None:
    with pytest.raises(CheckpointError, match=r"to make it: pedbench train inpaint-nano"):
        load_inpainting("inpaint-nano")
    for name, message in (("DDPMPipeline", "found a DDPMPipeline"), (["own", "Own"], "found pipeline class")):
        folder = tmp_path / str(name)[:5].strip("['")
        folder.mkdir()
        (folder / "model_index.json").write_text(json.dumps({"_class_name": name}))
        with pytest.raises(CheckpointError, match=message):
            load_inpainting(str(folder))
    assert DiffusionInpaint(model=str(mini)).files == (mini.resolve(),)


@pytest.mark.slow
def test_a_pipeline_outside_the_package_is_described_before_it_may_be_read(tmp_path: Path) -> None:
    folder = make_inpainting(tmp_path / "pipeline")
    assert describe(Registry().spec("attacks", "diffusion_inpaint", {"model": str(folder)})).files == (
        folder,
    )

"""Inpainting by diffusion: the mini pipeline, a Stable Diffusion pipeline of diffusers, and the choice of a sample."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter, uniform_filter

from pedbench.errors import CheckpointError
from pedbench.inversion.inpainting import hidden_part, paint, seam
from pedbench.inversion.read_out import fill_with_nearest
from pedbench.models.attackers.inpaint_mini import (
    InpaintMini,
    build_inpaint_mini,
    fold,
    inpainting_loss,
    known,
    painted_size,
    solving,
)
from pedbench.models.attackers.inpainting import Inpainting, load_inpainting
from pedbench.models.manifest import ASSETS
from pedbench.plugins.attacks.completion import Completion
from pedbench.plugins.attacks.diffusion_inpaint import DiffusionInpaint
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


def test_the_sample_with_the_smallest_seam_is_taken() -> None:
    class Flat:
        """Paints all in one grey, which the seed chooses."""

        unet = type("Network", (), {"config": type("Config", (), {"sample_size": 64})})
        greys = iter((0.9, 0.55, 0.1))

        def __call__(self, image: Any, mask_image: Any, generator: Any, **options: Any) -> Any:
            return type("Output", (), {"images": np.full_like(image, next(self.greys))})

    frame = np.full((64, 64, 3), 0.5, np.float32)
    view = View(
        frame_size=(64, 64), patches=(Patch(picture=frame[:, :32], top=0, left=0, server=0),), prior=PRIOR
    )
    (guess,) = paint(Inpainting(pipeline=Flat()), [view], seeds=[[1, 2, 3]], steps=1, caption="")
    np.testing.assert_allclose(guess[:, 40:], 0.55, atol=1e-6)
    with pytest.raises(ValueError, match="Flat takes no caption, found 'a room'"):
        paint(Inpainting(pipeline=Flat()), [view], seeds=[[1]], steps=1, caption="a room")


def test_the_seam_counts_pairs_across_the_border() -> None:
    picture, hidden = torch.rand(3, 7, 6), torch.rand(7, 6) < 0.5
    steps = [
        (picture[:, y, x] - picture[:, y + dy, x + dx]).square()
        for y in range(7)
        for x in range(6)
        for dy, dx in ((0, 1), (1, 0))
        if y + dy < 7 and x + dx < 6 and hidden[y, x] != hidden[y + dy, x + dx]
    ]
    assert seam(picture, hidden) == pytest.approx(float(torch.stack(steps).mean()), rel=1e-5)
    assert seam(picture, torch.ones(7, 6, dtype=torch.bool)) == 0


def test_pixels_seen_in_part_are_hidden() -> None:
    seen = torch.ones(20, 20, dtype=torch.bool)
    seen[9, 9] = False
    assert hidden_part(seen, (4, 4)).nonzero().tolist() == [[1, 1]]
    # Pixel 9 of 20 lies across pixels 2 and 3 of 6 at 3.33 each: from 6.67 to 10 and so on.
    assert hidden_part(seen, (6, 6)).nonzero().tolist() == [[2, 2]]
    assert hidden_part(seen, (40, 40)).sum() == 4


def test_frames_keep_their_shape_when_painted() -> None:
    assert painted_size((240, 320)) == (120, 160)
    assert painted_size((320, 320)) == (160, 160)
    assert painted_size((768, 1024), 512) == (384, 512)
    assert painted_size((2, 1024)) == (8, 160)


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

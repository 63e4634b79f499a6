"""Inpainting by diffusion: the mini pipeline, a Stable Diffusion pipeline of diffusers, and the choice of a sample."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.inversion.inpainting import hidden_part, paint, seam
from pedbench.models.attackers.inpaint_mini import (
    InpaintMini,
    build_inpaint_mini,
    inpainting_loss,
    painted_size,
    solving,
)
from pedbench.models.attackers.inpainting import Inpainting, load_inpainting
from pedbench.plugins.attacks.diffusion_inpaint import DiffusionInpaint
from pedbench.types import Patch, Picture, Prior, View
from tests.made_models import make_inpainting

PRIOR = Prior(mean_colour=np.array([0.2, 0.4, 0.6], np.float32), pictures=())


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("mini")
    build_inpaint_mini().save_pretrained(folder)
    return folder


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


def test_the_mini_pipeline_is_small_and_survives_saving(mini: Path) -> None:
    torch.manual_seed(0)
    built, loaded = build_inpaint_mini(), load_inpainting(str(mini)).pipeline
    assert isinstance(loaded, InpaintMini)
    assert sum(values.numel() for values in built.unet.parameters()) < 3.2e6
    for name, values in built.unet.state_dict().items():
        assert torch.equal(values, loaded.unet.state_dict()[name])
    for name in ("beta_schedule", "prediction_type", "timestep_spacing", "thresholding"):
        assert loaded.scheduler.config[name] == built.scheduler.config[name]


class _Oracle(torch.nn.Module):
    """Knows the picture, so it predicts the velocity that leads there."""

    def __init__(self, unet: Any, picture: torch.Tensor, alphas: torch.Tensor) -> None:
        super().__init__()
        self.config, self.picture, self.alphas = unet.config, picture, alphas
        self.dtype, self.device = torch.float32, torch.device("cpu")

    def forward(self, inputs: torch.Tensor, time: torch.Tensor) -> Any:
        alpha = self.alphas[time.long()].reshape(-1, 1, 1, 1)
        noise = (inputs[:, :3] - alpha.sqrt() * self.picture) / (1 - alpha).sqrt()
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * self.picture
        return type("Output", (), {"sample": velocity})


def test_the_solver_ends_where_a_perfect_network_points() -> None:
    """The loss's schedule and the pipeline's are one: the network that has no loss paints the picture itself."""
    built = build_inpaint_mini()
    picture = torch.rand(1, 3, 48, 64) * 2 - 1
    oracle = _Oracle(built.unet, picture, built.scheduler.alphas_cumprod)
    masks = torch.zeros(1, 1, 48, 64)
    masks[:, :, 8:40, 16:48] = 1
    assert inpainting_loss(oracle, picture, masks, torch.Generator().manual_seed(0)) < 1e-6
    pipeline = InpaintMini(unet=built.unet, scheduler=built.scheduler)
    pipeline.unet = oracle
    pipeline.set_progress_bar_config(disable=True)
    for steps in (4, 12):
        painted = pipeline(
            image=torch.zeros(1, 3, 48, 64) + 0.5,
            mask_image=masks,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(1),
            output_type="pt",
        ).images
        expected = torch.where(masks > 0, picture / 2 + 0.5, torch.tensor(0.5))
        torch.testing.assert_close(painted, expected, atol=0.02, rtol=0)


def test_hidden_pixels_make_up_most_of_the_loss() -> None:
    class Wrong(torch.nn.Module):
        def forward(self, inputs: torch.Tensor, time: torch.Tensor) -> Any:
            seen.append(inputs)
            return type("Output", (), {"sample": torch.zeros_like(inputs[:, :3])})

    seen: list[torch.Tensor] = []
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    masks = torch.zeros(2, 1, 64, 64)
    masks[..., :32] = 1
    loss = inpainting_loss(Wrong(), pictures, masks, torch.Generator().manual_seed(5))
    repeated = inpainting_loss(Wrong(), pictures, masks, torch.Generator().manual_seed(5))
    assert loss == repeated
    assert loss == pytest.approx(1 / 3 + 0.35, abs=0.35)
    torch.testing.assert_close(seen[0][:, 3:4], masks)
    assert not seen[0][:, 4:, :, :32].any()
    torch.testing.assert_close(seen[0][:, 4:, :, 32:], pictures[..., 32:])


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
    assert painted_size((240, 320)) == (48, 64)
    assert painted_size((320, 320)) == (64, 64)
    assert painted_size((768, 1024), 512) == (384, 512)
    assert painted_size((2, 1024)) == (8, 64)


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

"""The mini family's inpainting pipeline, which refines a completion, and its loss."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from diffusers import (
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    ImagePipelineOutput,
    UNet2DModel,
)
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

SIDE = 160
"""Longest side in pixels of the mini pipeline's pictures."""


MULTIPLE = 8
"""Divisor of both sides of painted pictures."""

_FOLD = 2
"""Side in pixels of the squares that are one position of the network."""

_SPREAD = 3.0
"""Factor that gives what a completion of pixels in [-1, 1] lacks about unit variance."""

_GRADIENT = 4.0
"""Weight of the gradients' error where the true picture is flat."""

_FLAT = 0.03
"""Local contrast of pixels in [-1, 1] at which that weight is halved."""


class InpaintMini(DiffusionPipeline):  # type: ignore[misc]
    """Pipeline that refines the hidden part of pictures; called like diffusers' inpainting pipelines.

    The diffusion is that of the difference between the picture and a first guess. Pixels are folded: a position of
    the network is a square of 2 x 2.

    Args:
        unet: Network of 40 input channels: folded noisy difference, mask, nearest visible pixel and first guess.
            Predicts the folded difference without noise.
        scheduler: Solver for predictions of the sample.
        guesser: Name of the ViTMAE whose completions are the first guesses; "" for the nearest visible pixels.
    """

    model_cpu_offload_seq = "unet"

    def __init__(self, unet: UNet2DModel, scheduler: DPMSolverMultistepScheduler, guesser: str = "") -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.register_to_config(guesser=guesser)
        self.image_processor = VaeImageProcessor(vae_scale_factor=MULTIPLE)
        self.mask_processor = VaeImageProcessor(
            vae_scale_factor=MULTIPLE, do_normalize=False, do_binarize=True, do_convert_grayscale=True
        )

    @torch.no_grad()
    def __call__(
        self,
        image: Any,
        mask_image: Any,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int = 4,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Paint the masked part of pictures.

        Args:
            image: Pictures as in diffusers: PIL, (B, H, W, 3) arrays or (B, 3, H, W) tensors in [0, 1]; the masked
                part is the first guess.
            mask_image: Masks in the same formats, with one channel; 1 (white) where to paint.
            height: Height in pixels, a multiple of 8; by default the image's, rounded down.
            width: Width in pixels, a multiple of 8; by default the image's, rounded down.
            num_inference_steps: Evaluations of the network.
            generator: Source of the noise; one, or one per picture.
            output_type: "pil", "np" or "pt".
            return_dict: Whether to wrap the pictures.

        Returns:
            An `ImagePipelineOutput`, or a tuple of the pictures; unmasked pixels are the image's.
        """
        device, dtype = self._execution_device, self.unet.dtype
        picture = self.image_processor.preprocess(image, height, width).to(device, dtype)
        mask = self.mask_processor.preprocess(mask_image, height, width).to(device, dtype)
        condition, folded = known(picture, mask), fold(mask).repeat(1, 3, 1, 1)
        with solving():
            self.scheduler.set_timesteps(num_inference_steps, device=device)
        shape = fold(picture).shape
        noisy = randn_tensor(shape, generator=generator, device=device, dtype=dtype)
        for step in self.progress_bar(self.scheduler.timesteps):
            difference = self.unet(torch.cat([noisy, condition], dim=1), step).sample * folded
            noisy = self.scheduler.step(difference, step, noisy).prev_sample
        painted = (picture + functional.pixel_shuffle(noisy, _FOLD) / _SPREAD).clamp(-1, 1)
        painted = torch.where(mask > 0.5, painted, picture)
        images = self.image_processor.postprocess(painted, output_type=output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)


def build_inpaint_mini(guesser: str = "") -> InpaintMini:
    """Build the untrained mini pipeline; torch's seed decides the weights.

    Args:
        guesser: See `InpaintMini`.
    """
    unet = UNet2DModel(
        sample_size=SIDE,
        in_channels=40,
        out_channels=12,
        layers_per_block=1,
        block_out_channels=(32, 64, 96),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=32,
    )
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="sample", timestep_spacing="trailing"
    )
    return InpaintMini(unet=unet, scheduler=scheduler, guesser=guesser)


def fold(planes: Tensor) -> Tensor:
    """Fold (B, C, H, W) into (B, 4 C, H / 2, W / 2)."""
    return functional.pixel_unshuffle(planes, _FOLD)


def known(guesses: Tensor, masks: Tensor) -> Tensor:
    """Return the network's input besides noise: mask, nearest visible pixels and first guess, folded.

    Args:
        guesses: (B, 3, H, W) in [-1, 1].
        masks: (B, 1, H, W), 1 where hidden, else 0.

    Returns:
        (B, 28, H / 2, W / 2).
    """
    nearest = guesses.clone()
    for picture, hidden in zip(nearest, masks[:, 0].bool().cpu().numpy(), strict=True):
        if not hidden.all():
            rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
            picture.copy_(picture[:, rows, columns])
    return torch.cat([fold(masks), fold(nearest), fold(guesses)], dim=1)


def inpainting_loss(
    unet: Any, pictures: Tensor, guesses: Tensor, masks: Tensor, generator: torch.Generator
) -> Tensor:
    """Compute the training loss of the mini pipeline's network at random times of the cosine schedule.

    It is the absolute error of hidden pixels and of their gradients. The gradients' error is relative to the local
    contrast of the true picture, as false texture is most visible where there is none. Half of the times are the
    schedule's end, where the input holds no signal and the network predicts from the visible part alone.

    Args:
        unet: The pipeline's network.
        pictures: (B, 3, H, W) in [-1, 1], sides multiples of 8; in the attack, the longer side is `SIDE`.
        guesses: The same with first guesses in the hidden part.
        masks: (B, 1, H, W), 1 where hidden, else 0.
        generator: Source of times and noise, on the pictures' device.

    Returns:
        Scalar.
    """
    schedule = _schedule()
    count = schedule.config.num_train_timesteps
    device = pictures.device
    times = torch.randint(2 * count, (len(pictures),), generator=generator, device=device).clamp(
        max=count - 1
    )
    difference = fold(_SPREAD * masks * (pictures - guesses))
    noise = torch.randn(difference.shape, generator=generator, device=device)
    noisy = schedule.add_noise(difference, noise, times)
    predicted = unet(torch.cat([noisy, known(guesses, masks)], dim=1), times).sample
    errors = masks * functional.pixel_shuffle(predicted - difference, _FOLD) / _SPREAD
    loss: Tensor = errors.abs().sum() / (3 * masks.sum())
    for axis in (2, 3):
        contrast = functional.avg_pool2d(pictures.diff(dim=axis).abs().mean(1, keepdim=True), 5, 1, 2)
        weights = _GRADIENT * _FLAT / (contrast + _FLAT)
        loss = loss + (weights * errors.diff(dim=axis).abs()).sum() / (3 * masks.sum())
    return loss


@contextmanager
def solving() -> Iterator[None]:
    """Silence NumPy 2's warnings about how diffusers' solvers read torch's tensors."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning
        )
        yield


@cache
def _schedule() -> DDPMScheduler:
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="sample")


def painted_size(frame_size: tuple[int, int], side: int = SIDE) -> tuple[int, int]:
    """Return the size for painting a frame: its longer side becomes `side`, both are multiples of 8.

    Args:
        frame_size: Height and width in pixels.
        side: In pixels.
    """
    scale = side / max(frame_size)
    height, width = (max(MULTIPLE, round(length * scale / MULTIPLE) * MULTIPLE) for length in frame_size)
    return height, width

"""The mini family's inpainting pipeline and its loss."""

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
from torch import Tensor

SIDE = 64
"""Longest side in pixels of the mini pipeline's pictures."""


MULTIPLE = 8
"""Divisor of both sides of painted pictures."""


_VISIBLE_WEIGHT = 0.1


class InpaintMini(DiffusionPipeline):  # type: ignore[misc]
    """Pipeline that paints the hidden part of small pictures; called like diffusers' inpainting pipelines.

    Args:
        unet: Network of 7 input channels: noisy picture, mask, picture without its hidden part. Predicts the
            velocity.
        scheduler: Solver for velocity predictions.
    """

    model_cpu_offload_seq = "unet"

    def __init__(self, unet: UNet2DModel, scheduler: DPMSolverMultistepScheduler) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
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
        num_inference_steps: int = 12,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Paint the masked part of pictures.

        Args:
            image: Pictures as in diffusers: PIL, (B, H, W, 3) arrays or (B, 3, H, W) tensors in [0, 1].
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
        condition = torch.cat([mask, picture * (1 - mask)], dim=1)
        with solving():
            self.scheduler.set_timesteps(num_inference_steps, device=device)
        noisy = randn_tensor(picture.shape, generator=generator, device=device, dtype=dtype)
        for step in self.progress_bar(self.scheduler.timesteps):
            velocity = self.unet(torch.cat([noisy, condition], dim=1), step).sample
            noisy = self.scheduler.step(velocity, step, noisy).prev_sample
        painted = torch.where(mask > 0.5, noisy.clamp(-1, 1), picture)
        images = self.image_processor.postprocess(painted, output_type=output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)


def build_inpaint_mini() -> InpaintMini:
    """Build the untrained mini pipeline; torch's seed decides the weights."""
    unet = UNet2DModel(
        sample_size=SIDE,
        in_channels=7,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=(40, 80, 128),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=32,
    )
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        thresholding=True,
    )
    return InpaintMini(unet=unet, scheduler=scheduler)


def inpainting_loss(unet: Any, pictures: Tensor, masks: Tensor, generator: torch.Generator) -> Tensor:
    """Compute the training loss of the mini pipeline's network.

    It is the squared error of the predicted velocity at a random time of the cosine schedule. Hidden pixels weigh
    ten times as much as visible ones.

    Args:
        unet: The pipeline's network.
        pictures: (B, 3, H, W) in [-1, 1], sides multiples of 8; in the attack, the longer side is 64.
        masks: (B, 1, H, W), 1 where hidden, else 0.
        generator: Source of times and noise, on the pictures' device.

    Returns:
        Scalar.

    Source: Salimans and Ho, Progressive Distillation for Fast Sampling of Diffusion Models, 2022, appendix D;
        Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models, 2021, section 3.2.
    """
    schedule = _schedule()
    count = schedule.config.num_train_timesteps
    device = pictures.device
    times = torch.randint(count, (len(pictures),), generator=generator, device=device)
    noise = torch.randn(pictures.shape, generator=generator, device=device)
    noisy = schedule.add_noise(pictures, noise, times)
    predicted = unet(torch.cat([noisy, masks, pictures * (1 - masks)], dim=1), times).sample
    errors = (predicted - schedule.get_velocity(pictures, noise, times)).square()
    weights = (masks + _VISIBLE_WEIGHT * (1 - masks)).expand_as(errors)
    loss: Tensor = (weights * errors).sum() / weights.sum()
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
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")


def painted_size(frame_size: tuple[int, int], side: int = SIDE) -> tuple[int, int]:
    """Return the size for painting a frame: its longer side becomes `side`, both are multiples of 8.

    Args:
        frame_size: Height and width in pixels.
        side: In pixels.
    """
    scale = side / max(frame_size)
    height, width = (max(MULTIPLE, round(length * scale / MULTIPLE) * MULTIPLE) for length in frame_size)
    return height, width

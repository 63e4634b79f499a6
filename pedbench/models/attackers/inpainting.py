"""Inpainting by diffusion: the mini family's own pipeline, its loss, and any pipeline of diffusers beside it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoPipelineForInpainting,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    ImagePipelineOutput,
    UNet2DModel,
)
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils import logging
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor
from transformers.utils import logging as transformers_logging

from pedbench.errors import CheckpointError
from pedbench.models.hub.folders import model_folder, read_json, refuse_gaps

SIDE = 64
"""Longest side in pixels of the pictures that the mini pipeline paints."""

MULTIPLE = 8
"""Sides of painted pictures are multiples of it."""

_KIND = "diffusion inpainting pipeline (diffusers)"
_SEEN_WEIGHT = 0.1


class InpaintMini(DiffusionPipeline):  # type: ignore[misc]
    """Paints the hidden part of small pictures, with the call that inpainting pipelines have.

    Args:
        unet: Takes 7 channels: the noisy picture, the mask, the picture without its hidden part. Predicts the
            velocity.
        scheduler: Of velocity predictions.
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
        """Paint.

        Args:
            image: Pictures as diffusers takes them: PIL, (B, H, W, 3) arrays or (B, 3, H, W) tensors in [0, 1].
            mask_image: Likewise, with one channel; 1 (white) where to paint.
            height: Pixels, a multiple of 8; the image's without it, rounded down.
            width: Likewise.
            num_inference_steps: Evaluations of the network.
            generator: Draws the noise; one, or one for each picture.
            output_type: "pil", "np" or "pt".
            return_dict: Whether to wrap the pictures.

        Returns:
            An `ImagePipelineOutput`, or a tuple of the pictures; what is not to be painted is the image's.
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
    """The mini pipeline, untrained; torch's seed decides the weights."""
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
    """What the mini pipeline's network is trained to make small.

    The squared error of the predicted velocity at a random time of the cosine schedule; hidden pixels count ten
    times as much as seen ones.

    Args:
        unet: The pipeline's.
        pictures: (B, 3, H, W) in [-1, 1], sides multiples of 8; as the attack has it, the longer is 64.
        masks: (B, 1, H, W), 1 where hidden, else 0.
        generator: Draws times and noise, on the pictures' device.

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
    weights = (masks + _SEEN_WEIGHT * (1 - masks)).expand_as(errors)
    loss: Tensor = (weights * errors).sum() / weights.sum()
    return loss


@contextmanager
def solving() -> Iterator[None]:
    """Keep quiet about diffusers' solvers, which read torch's tensors in a way that NumPy 2 warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning
        )
        yield


@cache
def _schedule() -> DDPMScheduler:
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")


def painted_size(frame_size: tuple[int, int], side: int = SIDE) -> tuple[int, int]:
    """The size at which a frame is painted: its longer side becomes `side`, both are multiples of 8.

    Args:
        frame_size: Height and width in pixels.
        side: In pixels.
    """
    scale = side / max(frame_size)
    height, width = (max(MULTIPLE, round(length * scale / MULTIPLE) * MULTIPLE) for length in frame_size)
    return height, width


@dataclass(frozen=True, kw_only=True)
class Inpainting:
    """A pipeline and how it was published.

    Attributes:
        pipeline: Of diffusers, with a solver that needs few steps wherever its scheduler allows to be exchanged.
        published: The type of its weights.
        device: Where it computes, as torch names it.
    """

    pipeline: Any
    published: torch.dtype = torch.float32
    device: str = "cpu"

    def to(self, device: str) -> Inpainting:
        """The same on another device; the pipeline itself moves.

        An accelerator computes with weights as they were published, a CPU in float32.
        """
        if self.published == torch.float16:
            for part in self.pipeline.components.values():
                if isinstance(part, torch.nn.Module):
                    part.float() if device == "cpu" else part.half()
        return replace(self, pipeline=self.pipeline.to(device, silence_dtype_warnings=True), device=device)


def load_inpainting(model: str) -> Inpainting:
    """Load a pipeline of diffusers that inpaints; nothing is downloaded and no code of the model is run.

    diffusers finds no pipeline whose class is not its own, so ours is put together from its parts.

    Args:
        model: As `pretrained.model_reference` returns it.

    Returns:
        The pipeline in float32 on the CPU.

    Raises:
        CheckpointError: There is no such model, or none that inpaints.
    """
    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    folder = model_folder(model, _KIND, "model_index.json")
    index = read_json(folder / "model_index.json")
    name = index.get("_class_name")
    if name == InpaintMini.__name__:
        loaded = _own(folder)
    elif isinstance(name, str):
        loaded = _public(folder, name, index)
    else:
        raise CheckpointError(f"{folder}: found pipeline class {name!r}\nexpected the name of a {_KIND}")
    loaded.pipeline.set_progress_bar_config(disable=True)
    return loaded


def _own(folder: Path) -> Inpainting:
    options = {"local_files_only": True, "use_safetensors": True}
    unet, report = UNet2DModel.from_pretrained(folder / "unet", output_loading_info=True, **options)
    refuse_gaps(folder, report["missing_keys"], "the pipeline's network")
    scheduler = DPMSolverMultistepScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    return Inpainting(pipeline=InpaintMini(unet=unet.eval().requires_grad_(False), scheduler=scheduler))


def _public(folder: Path, name: str, index: dict[str, Any]) -> Inpainting:
    # Its answer to a picture that it takes exception to is a black one.
    unchecked = (
        {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in index else {}
    )
    files = [file.name for file in folder.rglob("*.safetensors")]
    # Some repositories hold half precision alone.
    half = bool(files) and all(".fp16." in name for name in files)
    try:
        pipeline = AutoPipelineForInpainting.from_pretrained(
            folder,
            variant="fp16" if half else None,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            **unchecked,
        )
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{folder}: found a {name} ({error})\nexpected a {_KIND}") from error
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.float()
    if DPMSolverMultistepScheduler in pipeline.scheduler.compatibles:
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    return Inpainting(pipeline=pipeline, published=torch.float16 if half else torch.float32)

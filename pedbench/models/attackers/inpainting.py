"""Inpainting by diffusion: the mini family's own pipeline, and any pipeline of diffusers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoPipelineForInpainting,
    DPMSolverMultistepScheduler,
    UNet2DModel,
)
from diffusers.utils import logging
from transformers.utils import logging as transformers_logging

from pedbench.errors import CheckpointError
from pedbench.models.attackers.inpaint_mini import InpaintMini
from pedbench.models.attackers.vitmae import MaskedAutoencoder, load_pixel_autoencoder
from pedbench.models.hub.folders import model_folder, read_json, refuse_gaps
from pedbench.models.kept import kept

_KIND = "diffusion inpainting pipeline (diffusers)"


@dataclass(frozen=True, kw_only=True)
class Inpainting:
    """A pipeline and the type of its published weights.

    Attributes:
        pipeline: Pipeline of diffusers, with a solver of few steps if its scheduler can be exchanged.
        guesser: Network whose completions are the pipeline's first guesses; None for the nearest visible pixels.
        published: The type of its weights.
        device: Torch's name of its device.
    """

    pipeline: Any
    guesser: MaskedAutoencoder | None = None
    published: torch.dtype = torch.float32
    device: str = "cpu"

    def to(self, device: str) -> Inpainting:
        """Move the pipeline to a device.

        An accelerator computes with weights in their published type, a CPU in float32.
        """
        if self.published == torch.float16:
            for part in self.pipeline.components.values():
                if isinstance(part, torch.nn.Module):
                    part.float() if device == "cpu" else part.half()
        return replace(
            self,
            pipeline=self.pipeline.to(device, silence_dtype_warnings=True),
            guesser=self.guesser and self.guesser.to(device),
            device=device,
        )


@kept
def load_inpainting(model: str) -> Inpainting:
    """Load an inpainting pipeline of diffusers; nothing is downloaded and no code of the model is run.

    diffusers cannot load pipelines of foreign classes, so ours is assembled from its parts.

    Args:
        model: Result of `model_reference`.

    Returns:
        The pipeline in float32 on the CPU.

    Raises:
        CheckpointError: The model is missing or is no inpainting pipeline.
    """
    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    folder = model_folder(model, _KIND, "model_index.json")
    index = read_json(folder / "model_index.json")
    name = index.get("_class_name")
    if name == InpaintMini.__name__:
        loaded = _own(folder, index)
    elif isinstance(name, str):
        loaded = _public(folder, name, index)
    else:
        raise CheckpointError(f"{folder}: found pipeline class {name!r}\nexpected the name of a {_KIND}")
    loaded.pipeline.set_progress_bar_config(disable=True)
    return loaded


def _own(folder: Path, index: dict[str, Any]) -> Inpainting:
    options = {"local_files_only": True, "use_safetensors": True}
    unet, report = UNet2DModel.from_pretrained(folder / "unet", output_loading_info=True, **options)
    refuse_gaps(folder, report["missing_keys"], "the pipeline's network")
    scheduler = DPMSolverMultistepScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    guesser = index.get("guesser", "")
    return Inpainting(
        pipeline=InpaintMini(unet.float().eval().requires_grad_(False), scheduler, guesser),
        guesser=load_pixel_autoencoder(guesser) if guesser else None,
    )


def _public(folder: Path, name: str, index: dict[str, Any]) -> Inpainting:
    # The safety checker replaces pictures that it objects to by black ones.
    unchecked = (
        {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in index else {}
    )
    files = [file.name for file in folder.rglob("*.safetensors")]
    # Some repositories have weights in half precision only.
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

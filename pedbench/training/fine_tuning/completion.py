"""`pedbench train completion`: fine-tune a public masked autoencoder on the masks of `ped_sam`'s servers."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from torch import nn

from pedbench.fetching.digests import digest
from pedbench.fetching.fetch import verified
from pedbench.models.attackers.vitmae import (
    WEIGHTS,
    MaskedAutoencoder,
    fit_positions,
    load_autoencoder,
    patches_per_window,
)
from pedbench.models.hub.folders import model_files, model_reference
from pedbench.models.manifest import is_shipped
from pedbench.models.sam.architectures import VIT_B
from pedbench.training.data.photograph_pictures import PhotographPictures
from pedbench.training.fine_tuning.attacker_course import (
    Attacker,
    AttackerCourse,
    AttackerRecipe,
    attacker_course,
)
from pedbench.training.fine_tuning.course import Description
from pedbench.training.fine_tuning.place import Place
from pedbench.training.tasks.masked_autoencoder import AutoencoderCourse, AutoencoderRecipe, AutoencoderSizes

_MASKS = ("ped_sam", "random")

GRID = VIT_B.grid
"""Windows of every official SAM."""


class PublicAutoencoderCourse(AutoencoderCourse):
    """Trains a public ViTMAE whose positions fit the windows of official SAMs.

    Args:
        start: The public network.
    """

    grid = GRID

    def __init__(self, *args: Any, start: MaskedAutoencoder, **more: Any) -> None:
        self._start, self.statistics = start.network, (start.mean, start.deviation)
        super().__init__(*args, **more)

    def prepare(self, weights: Path) -> None:
        super().prepare(weights)
        self.network.load_state_dict(self._start.state_dict())

    def fresh(self) -> nn.Module:
        from transformers import ViTMAEForPreTraining

        # The loss compares pixels as they are, whatever the public weights predict.
        config = type(self._start.config).from_dict(self._start.config.to_dict() | {"norm_pix_loss": False})
        network: nn.Module = ViTMAEForPreTraining(config)
        return network

    def save(self, network: nn.Module, path: Path) -> None:
        super().save(network, path)
        mean, deviation = (part.flatten().tolist() for part in self.statistics)
        settings = {"image_mean": mean, "image_std": deviation}
        (path.parent / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def completion(start: str, recipe: AttackerRecipe) -> Attacker:
    """Return the completion network that is trained from a public ViTMAE.

    Args:
        start: Folder or hub id of the ViTMAE with its decoder, present on this machine.
        recipe: The recipe.

    Raises:
        ValueError: The recipe's masks are unknown.
        CheckpointError: The model is missing or of another kind.
    """
    if recipe.masks not in _MASKS:
        raise ValueError(f"--masks: expected {' or '.join(_MASKS)}, found {recipe.masks!r}.")
    model = model_reference(start)
    public = load_autoencoder(model)
    side = GRID.rows * patches_per_window(GRID, public.side, public.patch) * public.patch
    public = replace(public, network=fit_positions(public.network, side // public.patch))
    folder = model_files(model)[0]
    weights = next(file for suffix in WEIGHTS for file in sorted(folder.glob(f"*{suffix}")))
    name = f"completion-{Path(model).name}"
    task_recipe = AutoencoderRecipe(
        sizes=AutoencoderSizes(
            **{each.name: getattr(public.network.config, each.name) for each in fields(AutoencoderSizes)}
        ),
        kept=0 if recipe.masks == "ped_sam" else (side // public.patch) ** 2 // 4,
        schedule=recipe.schedule,
        batch=recipe.batch,
        seed=recipe.seed,
    )

    def course(place: Place) -> AttackerCourse:
        source = PhotographPictures(
            photographs=place.photographs, frame=GRID.canvas[0], canvas=GRID.padded[0] * GRID.patch, side=side
        )
        return attacker_course(
            partial(PublicAutoencoderCourse, start=public),
            task_recipe,
            recipe,
            place,
            source=source,
            weights=folder,
            name=name,
            score="hidden PSNR",
            describe=lambda task: _describe(start, weights, recipe, task.file),
        )

    return Attacker(name=name, start=digest(weights), course=course)


def _describe(start: str, weights: Path, recipe: AttackerRecipe, file: str) -> Description:
    official = verified(weights) or is_shipped(weights.parent)
    public = start if official else weights.parent.name
    visible = {
        "ped_sam": "what coalitions of 2 to 25 servers of `ped_sam` receive, by all assignment policies",
        "random": "a random quarter of the patches",
    }[recipe.masks]
    return Description(
        metadata=ModelCardData(
            license="apache-2.0" if official else "other",
            base_model=start if official and "/" in start else None,
            library_name="transformers",
            tags=["vit_mae", "completion"],
        ),
        about=f"The masked autoencoder `{public}`, fine-tuned to complete pictures with `pedbench train completion`.",
        facts={
            "start": f"`{public}`, `{weights.name}`, sha256 `{digest(weights)}`",
            "visible": visible,
            "loss": "squared error of the hidden patches",
        },
        scores="`hidden PSNR` is that of the hidden part in dB. Step 0 is the start.",
        use=f"The attack `completion` loads the folder of `{file}` by its parameter `model`: its path, or in "
        "`$PEDBENCH_HOME` its name.",
    )

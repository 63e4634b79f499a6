"""`pedbench train decoder`: train a network that decodes the tokens of a SAM's servers into pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from torch import nn

from pedbench.errors import MissingWeightsError
from pedbench.fetching.digests import digest
from pedbench.models.attackers.restoration import RestorationSizes
from pedbench.models.hub.folders import model_reference
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import PED_MINI, SAM_MINI, VIT_B, VIT_H, VIT_L, Architecture
from pedbench.models.sam.checkpoints import load_sam, recognise
from pedbench.models.sam.family import family
from pedbench.models.sam.transformers_sam import read_architecture
from pedbench.training.data.photograph_pictures import PhotographPictures
from pedbench.training.fine_tuning.attacker_course import (
    Attacker,
    AttackerCourse,
    AttackerRecipe,
    attacker_course,
)
from pedbench.training.fine_tuning.course import Description
from pedbench.training.fine_tuning.place import Place
from pedbench.training.tasks.restoration import RestorationCourse, RestorationRecipe

_OFFICIAL = {item.name: item for item in (VIT_B, VIT_L, VIT_H)}
_PED = {f"ped-{name}": item.reordered(f"ped-{name}") for name, item in _OFFICIAL.items()}
_MINI = {"sam-mini": SAM_MINI, "ped-mini": PED_MINI}


class TokenDecoderCourse(RestorationCourse):
    """Trains a `RestorationTransformer` on the tokens of any SAM.

    Args:
        architecture: The SAM's sizes; `weights` is its file.
    """

    def __init__(self, *args: Any, architecture: Architecture, **more: Any) -> None:
        self._architecture = architecture
        super().__init__(*args, **more)

    def prepare(self, weights: Path) -> None:
        self.grid = self._architecture.grid
        self._encoder = load_sam(weights, self._architecture).to(self.device).requires_grad_(False)

    @property
    def frozen(self) -> dict[str, nn.Module]:
        return {"encoder": self._encoder.image_encoder}


def find_sam(start: str) -> tuple[Architecture, Path]:
    """Return the sizes of a SAM, in its own block order or in PED order, and its weights file.

    Args:
        start: `vit_b`, `vit_l` or `vit_h`; these with `ped-` before them for the result of `pedbench train ped-sam`;
            `sam-mini` or `ped-mini`; a checkpoint of one of these; or the folder or hub id of a SAM of transformers.

    Raises:
        CheckpointError: The weights are missing or of another network.
    """
    if start in _MINI:
        return _MINI[start], ASSETS / f"{start}.safetensors"
    base = start.removeprefix("ped-")
    if base in _OFFICIAL:
        known = family(base)
        member = known.fine_tuned if start.startswith("ped-") else known.original
        if member.file is None or not member.file.is_file():
            command = member.source.partition(",")[0]
            raise MissingWeightsError(f"no weights of {start}: {command}, or name a checkpoint with --from.")
        return member.architecture, member.file
    file = Path(start).expanduser()
    if file.suffix in (".pth", ".safetensors"):
        return recognise(file, [*_OFFICIAL.values(), *_PED.values(), *_MINI.values()]), file
    return read_architecture(model_reference(start))


def decoder(start: str, recipe: AttackerRecipe) -> Attacker:
    """Return the decoder of the tokens that a SAM's servers have.

    In the network's own block order these are the tokens that its first global block has mixed; in PED order those
    that all window blocks have passed.

    Args:
        start: The SAM; see `find_sam`.
        recipe: The recipe.

    Raises:
        ValueError: The SAM has no global block, or its canvas does not fit the decoder.
        CheckpointError: The weights are missing or of another network.
    """
    architecture, file = find_sam(start)
    if not architecture.global_blocks:
        raise ValueError(f"--from: expected a SAM with global blocks, found {architecture.name} without any.")
    count = len(architecture.global_blocks)
    ordered = architecture.global_blocks[0] == architecture.depth - count
    blocks = architecture.depth - count if ordered else architecture.global_blocks[0] + 1
    model = "mini" if architecture.name in _MINI else architecture.name.removeprefix("ped-")
    name = f"decoder-{'ped' if ordered else 'interleaved'}-{model}"
    task_recipe = RestorationRecipe(
        encoder=architecture.name,
        blocks=blocks,
        sizes=_sizes(architecture),
        schedule=recipe.schedule,
        batch=recipe.batch,
        seed=recipe.seed,
    )

    def course(place: Place) -> AttackerCourse:
        side = architecture.image_size
        source = PhotographPictures(photographs=place.photographs, frame=side, canvas=side, side=side)
        return attacker_course(
            partial(TokenDecoderCourse, architecture=architecture),
            task_recipe,
            recipe,
            place,
            source=source,
            weights=file,
            name=name,
            score="hidden PSNR",
            describe=lambda task: _describe(name, architecture, file, blocks),
        )

    return Attacker(name=name, start=digest(file), course=course)


def _sizes(architecture: Architecture) -> RestorationSizes:
    """Return sizes of a decoder whose canvas has a half or a quarter of the frames' resolution, or the same.

    Raises:
        ValueError: The token grid cannot be divided into the decoder's patches.
    """
    side, patch = architecture.image_size, RestorationSizes.patch
    canvas = 256 if side % 256 == 0 else side // 2
    if side % canvas or canvas % patch or architecture.tokens[0] % (canvas // patch):
        raise ValueError(f"--from: expected a SAM for a multiple of 256 pixels, found {side} pixels.")
    return RestorationSizes(
        canvas=canvas,
        width=384,
        token_channels=architecture.embed_dim,
        token_side=architecture.tokens[0],
    )


def _describe(name: str, architecture: Architecture, file: Path, blocks: int) -> Description:
    return Description(
        metadata=ModelCardData(license="other", tags=["segment-anything", "inversion"]),
        about=f"A network that decodes pixels and tokens of some windows of `{architecture.name}` into the whole "
        "picture, trained with `pedbench train decoder`.",
        facts={
            "encoder": f"`{architecture.name}`, `{file.name}`, sha256 `{digest(file)}`",
            "tokens": f"those that {blocks} of its {architecture.depth} blocks have passed",
            "visible": "what coalitions of 2 to 25 servers receive, by all assignment policies",
            "loss": "squared and absolute error of the hidden pixels",
        },
        scores="`hidden PSNR` is that of the hidden part in dB. Step 0 is a network at random.",
        use=f"The attack `token_decoder` reads it as `{name}/{name}.safetensors` in `$PEDBENCH_HOME`; its `model` is "
        "the name of the SAM.",
    )

"""The model card beside fine-tuned weights, in the form of the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from huggingface_hub import ModelCardData

from pedbench.training.fine_tuning.distillation import DistillationRecipe

_HUB = {"vit_b": "facebook/sam-vit-base", "vit_l": "facebook/sam-vit-large", "vit_h": "facebook/sam-vit-huge"}


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is said of fine-tuned weights.

    Attributes:
        name: Of the network, e.g. `ped-vit_b`.
        teacher: Name of the network that it imitates.
        teacher_sha256: Of that network's file.
        official: Whether that file is a published one, under Apache-2.0.
        file: Name of the weights file.
        sha256: Of it.
        pictures: How many it was trained on.
        data: What tells these pictures from others.
        recipe: How it was trained.
        kept: The validation whose weights these are.
        validations: All of them so far, `step` and scores.
    """

    name: str
    teacher: str
    teacher_sha256: str
    official: bool
    file: str
    sha256: str
    pictures: int
    data: str
    recipe: DistillationRecipe
    kept: dict[str, float]
    validations: list[dict[str, float]]

    def text(self) -> str:
        """The card in Markdown, with its metadata in front."""
        recipe = self.recipe
        masks = {"teacher": "those of the teacher", "annotations": "annotated objects"}
        loss = "image embeddings"
        if recipe.masks:
            loss += f", and masks by the frozen decoder against {masks[recipe.masks]}"
        facts = {
            "weights": f"`{self.file}`, sha256 `{self.sha256}`",
            "teacher": f"`{self.teacher}`, sha256 `{self.teacher_sha256}`",
            "pictures": f"{self.pictures:,} of a folder (revision {self.data}), {recipe.held_out} held out",
            "loss": loss,
            "steps": f"{self.kept['step']:,.0f} of {recipe.schedule.steps:,}, {recipe.batch} pictures each",
            "rate": f"{recipe.schedule.rate:g}, warm-up over {recipe.schedule.warmup} steps, then a cosine to zero",
            "number format": {"bf16": "bfloat16 in forward passes, float32 weights", "no": "float32"}[
                recipe.precision
            ],
            "seed": str(recipe.seed),
        }
        rows = "\n".join(f"| {key} | {value} |" for key, value in facts.items())
        return (
            f"---\n{self._metadata()}\n---\n\n# {self.name}\n\n"
            f"The image encoder of `{self.teacher}` with its blocks in PED order (window blocks first, global blocks "
            "last), fine-tuned by distillation with `pedbench train ped-sam`. Prompt encoder and mask decoder are the "
            "teacher's. What is kept is the running average of the weights at the validation that scored best.\n\n"
            f"| | |\n|:--|:--|\n{rows}\n\n## Scores\n\n"
            "On the pictures held out, which also chose the step that is kept. `agreement` is the IoU with the "
            "teacher's masks at a 4 x 4 grid of points; `retention` is mIoU after one click over that of the "
            f"teacher. Step 0 is the teacher with its blocks re-ordered.\n\n{self._scores()}\n\n"
            "## Use\n\n"
            f"As `{self.name}/{self.file}` in `$PEDBENCH_HOME` it is what `weights=fine-tuned` means to pedbench. The "
            "tensors are named as in official SAM checkpoints; the encoder is built with its global blocks last.\n"
        )

    def _metadata(self) -> ModelCardData:
        return ModelCardData(
            license="apache-2.0" if self.official else "other",
            base_model=_HUB.get(self.teacher) if self.official else None,
            library_name="segment-anything",
            pipeline_tag="mask-generation",
            tags=["segment-anything", "ped-sam", "distillation"],
        )

    def _scores(self) -> str:
        names = [name for name in self.kept if name != "step"]
        head = f"| step | {' | '.join(names)} |\n|--:|{'--:|' * len(names)}"
        return "\n".join([head, *(self._row(scores, names) for scores in self.validations)])

    def _row(self, scores: dict[str, Any], names: list[str]) -> str:
        mark = "**" if scores["step"] == self.kept["step"] else ""
        values = " | ".join(f"{scores[name]:.4f}" for name in names)
        return f"| {mark}{scores['step']:,.0f}{mark} | {values} |"

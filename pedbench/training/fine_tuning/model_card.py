"""The model card beside fine-tuned weights, in the form of the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pedbench.training.fine_tuning.course import Description, FineTuningRecipe

_FORMATS = {"bf16": "bfloat16 in forward passes, float32 weights", "no": "float32"}


@dataclass(frozen=True, kw_only=True)
class Card:
    """Facts of fine-tuned weights for their model card.

    Attributes:
        name: Of the network, e.g. `ped-vit_b`.
        description: What its course says of it.
        file: Name of the weights file.
        sha256: Of it.
        pictures: How many it was trained on.
        data: What tells these pictures from others.
        recipe: How it was trained.
        kept: The validation whose weights these are.
        validations: All of them so far, `step` and scores.
    """

    name: str
    description: Description
    file: str
    sha256: str
    pictures: int
    data: str
    recipe: FineTuningRecipe
    kept: dict[str, float]
    validations: list[dict[str, float]]

    def text(self) -> str:
        """The card in Markdown, with its metadata in front."""
        recipe, about = self.recipe, self.description
        facts = {
            "weights": f"`{self.file}`, sha256 `{self.sha256}`",
            **about.facts,
            "pictures": f"{self.pictures:,} of a folder (revision {self.data}), {recipe.held_out} held out",
            "steps": f"{self.kept['step']:,.0f} of {recipe.schedule.steps:,}, {recipe.batch} pictures each",
            "rate": f"{recipe.schedule.rate:g}, warm-up over {recipe.schedule.warmup} steps, then a cosine to zero",
            "number format": _FORMATS[recipe.precision],
            "seed": str(recipe.seed),
        }
        rows = "\n".join(f"| {key} | {value} |" for key, value in facts.items())
        return (
            f"---\n{about.metadata}\n---\n\n# {self.name}\n\n"
            f"{about.about} The weights are the running average at the validation that scored best.\n\n"
            f"| | |\n|:--|:--|\n{rows}\n\n## Scores\n\n"
            f"On the pictures held out, which also chose the step that is kept. {about.scores}\n\n{self._scores()}\n\n"
            f"## Use\n\n{about.use}\n"
        )

    def _scores(self) -> str:
        names = [name for name in self.kept if name != "step"]
        head = f"| step | {' | '.join(names)} |\n|--:|{'--:|' * len(names)}"
        return "\n".join([head, *(self._row(scores, names) for scores in self.validations)])

    def _row(self, scores: dict[str, Any], names: list[str]) -> str:
        mark = "**" if scores["step"] == self.kept["step"] else ""
        values = " | ".join(f"{scores[name]:.4f}" for name in names)
        return f"| {mark}{scores['step']:,.0f}{mark} | {values} |"

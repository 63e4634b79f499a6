"""What a picture shows, in a sentence by a captioner of transformers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pedbench.base import Claim, Probe
from pedbench.models.hub.folders import model_files, model_reference
from pedbench.types import Picture


@dataclass(kw_only=True)
class Captions(Probe):
    """Say in a sentence what is in a picture, with a captioner that transformers can run.

    Attributes:
        model: Folder or hub id of any transformers model for image-text-to-text with a processor (BLIP, GIT, models
            that hold conversations), which has to be on this machine.
        prompt: What the caption begins with, or what a model is asked, as some of them expect it.
    """

    name = "captions"
    version = 1
    cite = "Li et al., BLIP: Bootstrapping Language-Image Pre-training, arXiv 2201.12086"
    reads = "caption"
    side = 320

    model: str = "Salesforce/blip-image-captioning-base"
    prompt: str = ""
    _captioner: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.model = model_reference(self.model)

    @property
    def files(self) -> tuple[Path, ...]:
        return model_files(self.model)

    def prepare(self, device: str) -> None:
        from pedbench.models.hub.captioning import load_captioner

        self._captioner = load_captioner(self.model, device)

    def claims(self, picture: Picture) -> list[Claim]:
        # A captioner always says something: of one colour it is made up.
        if (picture == picture[:1, :1]).all():
            return []
        height, width = map(float, picture.shape[:2])
        text = self._captioner(picture, self.prompt)
        return (
            [Claim(kind="caption", content=text, box=(0.0, 0.0, width, height), confidence=1.0)]
            if text
            else []
        )

"""A small model on the trusted device."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.hub.folders import model_files, model_reference
from pedbench.types import Picture


@dataclass(kw_only=True)
class OnDeviceSmall(Defense):
    """A much smaller encoder runs on the edge; nothing leaves the device.

    Attributes:
        model: The folder or hub id of any promptable segmenter of transformers that is on this machine, such as
            SAM 2 or EdgeTAM, which decodes its own masks; "" for the family's small network.
    """

    name = "on_device_small"
    version = 1
    disclosure = "nothing"

    model: str = ""
    _segmenter: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.model = model_reference(self.model)

    @property
    def params(self) -> dict[str, Any]:
        # The family's network keeps the identity that its measurements had before there were others.
        return super().params if self.model else {}

    @property
    def servers(self) -> int:
        return 0

    @property
    def networks(self) -> tuple[str, ...]:
        return () if self.model else ("small",)

    @property
    def files(self) -> tuple[Path, ...]:
        return model_files(self.model) if self.model else ()

    def prepare(self, device: str) -> None:
        if self.model:
            from pedbench.models.hub.segmentation import load_segmenter

            self._segmenter = load_segmenter(self.model, device)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        if not self.model:
            return edge.encode_image(frame, "small")
        with edge.preparing():
            inputs = self._segmenter.preprocess(frame)
        embedding: Embedding = self._segmenter.encode(inputs)
        return embedding

"""Validation of a student against its teacher, on held-out pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from pedbench.base import Embedding
from pedbench.errors import DatasetError
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.stages import window_grid
from pedbench.pictures.frame import frame_size, to_frame
from pedbench.training.data.photographs import Photographs
from pedbench.types import Sample
from pedbench.utility.agreement import Reference, agreement, reference
from pedbench.utility.segmentation import evaluate


class Retention:
    """Validation of students by their masks in float32; processes share the held-out pictures.

    The score of annotated pictures is the mIoU after one click relative to the teacher's; without annotations, the
    agreement with the teacher's masks at a 4 x 4 grid of points.

    Args:
        photographs: The pictures.
        teacher: The undefended network.
        accelerator: The processes and their devices.

    Raises:
        DatasetError: The held-out pictures have no masks to compare.
    """

    def __init__(self, photographs: Photographs, teacher: Any, accelerator: Accelerator) -> None:
        self._photographs, self._accelerator = photographs, accelerator
        self._references: dict[str, Reference] = {}
        if photographs.annotated:
            self._undefended = self._mean(teacher)
            return
        for id in self._own:
            sample = photographs.sample(id)
            original = (sample.image.shape[0], sample.image.shape[1])
            self._references[id] = reference(_embed(teacher, sample), original)
        self._mean_of(gather_object([1.0 for each in self._references.values() for _ in each.places]))

    @staticmethod
    def score(photographs: Photographs) -> str:
        """Return the name of the score of such pictures."""
        return "retention" if photographs.annotated else "agreement"

    @property
    def _own(self) -> list[str]:
        return list(
            self._photographs.held_out[self._accelerator.process_index :: self._accelerator.num_processes]
        )

    def scores(self, network: Any) -> dict[str, float]:
        """Return `retention` and the two mIoU of its quotient, or `agreement`.

        Args:
            network: A `segment_anything.modeling.Sam` in evaluation mode.
        """
        mean = self._mean(network)
        if not self._photographs.annotated:
            return {"agreement": mean}
        return {"retention": mean / self._undefended, "mIoU": mean, "teacher's mIoU": self._undefended}

    def _mean(self, network: Any) -> float:
        rows = [(id, row["annotation"], row["value"]) for id in self._own for row in self._rows(network, id)]
        # Sorted, as the sum of floats depends on the order, and the order on the number of processes.
        return self._mean_of([value for _, _, value in sorted(gather_object(rows))])

    @staticmethod
    def _mean_of(values: list[float]) -> float:
        if not values:
            raise DatasetError(
                "the pictures held out show nothing to compare masks of: hold out more of them, with --held-out."
            )
        return float(np.mean(values))

    def _rows(self, network: Any, id: str) -> Any:
        sample = self._photographs.sample(id)
        grid = window_grid(network.image_encoder)
        place: Any = {
            "frame": frame_size(sample.image.shape[0], sample.image.shape[1], network.image_encoder.img_size),
            "window": grid.window * grid.patch,
        }
        embedding = _embed(network, sample)
        if self._photographs.annotated:
            return evaluate(embedding, sample, protocol="clicks", prompts=["1"], **place)
        return agreement(embedding, self._references[id], **place)


def _embed(network: Any, sample: Sample) -> Embedding:
    frame = to_frame(sample.image, network.image_encoder.img_size)
    with torch.inference_mode():
        features = network.image_encoder(preprocess(network, frame))
    return Embedding(features=features, network=network)

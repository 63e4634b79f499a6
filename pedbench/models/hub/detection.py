"""Object detectors of transformers from local folders: the mini family's and public ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from pedbench.models.hub.folders import HubModel, load_with_processor
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture

_KIND = "an object detector (a transformers model for object detection)"

CANVAS = 352
"""Minimum side in pixels of the square around a picture: a frame of 320 px with its margins."""

GREY = 0.5
"""Colour of the square beyond the picture."""

COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
"""COCO's names of categories that some detectors trained on COCO name as in PASCAL VOC."""


class Detection(NamedTuple):
    """A detected object.

    Attributes:
        category: Category, under COCO's name if it has one.
        box: x, y, width, height in pixels of the picture.
        confidence: Confidence in [0, 1].
    """

    category: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Detector(HubModel):
    """A detector with its image processor."""

    def __call__(self, picture: Picture, threshold: float) -> list[Detection]:
        """Return the objects in a picture (H, W, 3) whose confidence reaches the threshold.

        Processors resize every input to one size. To keep small parts of a frame at their scale, the picture is
        first pasted into the corner of a grey square.
        """
        height, width = picture.shape[:2]
        square = np.full((max(CANVAS, height, width),) * 2 + (3,), GREY, np.float32)
        square[:height, :width] = picture
        inputs = self.processor(
            images=to_uint8(square),
            return_tensors="pt",
            input_data_format="channels_last",
        )
        with torch.inference_mode():
            outputs = self.network(**inputs.to(self.device))
        (detections,) = self.processor.post_process_object_detection(
            outputs, threshold=threshold, target_sizes=[square.shape[:2]]
        )
        names = self.network.config.id2label
        return [
            Detection(
                COCO_NAMES.get(names[label], names[label]), (left, top, right - left, bottom - top), score
            )
            for label, score, (left, top, right, bottom) in zip(
                detections["labels"].tolist(),
                detections["scores"].tolist(),
                detections["boxes"].tolist(),
                strict=True,
            )
        ]


def load_detector(model: str, device: str) -> Detector:
    """Load a detector with its image processor; nothing is downloaded and no code of the model is run.

    Args:
        model: Result of `model_reference`.
        device: Torch's name of the device.

    Raises:
        CheckpointError: The model is missing or of another kind.
    """
    from transformers import AutoModelForObjectDetection
    from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES

    types = MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES
    loaded = load_with_processor(
        model, device, AutoModelForObjectDetection, types, _KIND, "preprocessor_config.json"
    )
    return Detector(**loaded)

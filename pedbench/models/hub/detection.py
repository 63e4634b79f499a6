"""Object detectors of transformers from local folders: the mini family's and the public ones alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from pedbench.errors import CheckpointError
from pedbench.models.hub.folders import load_pretrained, model_folder, read_json
from pedbench.types import Picture

_KIND = "object detector (a transformers model for object detection)"

CANVAS = 352
"""Side in pixels of the smallest square that a picture is laid into: a frame of 320 px with its margins."""

GREY = 0.5
"""Of the square beyond the picture."""

COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
"""COCO's names of categories that some detectors trained on COCO call as PASCAL VOC does."""


class Found(NamedTuple):
    """An object.

    Attributes:
        category: As the model names it.
        box: x, y, width, height in pixels of the picture.
        confidence: In [0, 1].
    """

    category: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A network with what prepares its input and reads its output.

    Attributes:
        network: Of transformers' `AutoModelForObjectDetection`, in evaluation mode, its parameters frozen.
        processor: Its image processor.
        device: Where it computes.
    """

    network: Any
    processor: Any
    device: str

    def __call__(self, picture: Picture, threshold: float) -> list[Found]:
        """Objects in a picture (H, W, 3) of which the network is at least as sure as the threshold.

        Processors bring whatever they get to one size. So the picture is laid into the corner of a grey square
        first: then a small part of a frame is not blown up, and looks as it does within the frame.
        """
        height, width = picture.shape[:2]
        square = np.full((max(CANVAS, height, width),) * 2 + (3,), GREY, np.float32)
        square[:height, :width] = picture
        inputs = self.processor(
            images=np.rint(square * 255).astype(np.uint8),
            return_tensors="pt",
            input_data_format="channels_last",
        )
        with torch.inference_mode():
            outputs = self.network(**inputs.to(self.device))
        (found,) = self.processor.post_process_object_detection(
            outputs, threshold=threshold, target_sizes=[square.shape[:2]]
        )
        names = self.network.config.id2label
        return [
            Found(COCO_NAMES.get(names[label], names[label]), (left, top, right - left, bottom - top), score)
            for label, score, (left, top, right, bottom) in zip(
                found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True
            )
        ]


def load_detector(model: str, device: str) -> Detector:
    """Load a detector with its image processor; nothing is downloaded and no code of the model is run.

    Args:
        model: As `pretrained.model_reference` returns it.
        device: Where it computes.

    Raises:
        CheckpointError: There is no such model, or another one.
    """
    folder = model_folder(model, _KIND, "config.json")
    from transformers import AutoImageProcessor, AutoModelForObjectDetection
    from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES

    kind = read_json(folder / "config.json").get("model_type")
    if kind not in MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES:
        raise CheckpointError(f"{folder}: found a model of type {kind!r}\nexpected an {_KIND}")
    if not (folder / "preprocessor_config.json").is_file():
        raise CheckpointError(f"{folder}: found no preprocessor_config.json\nexpected that of an {_KIND}")
    network = load_pretrained(AutoModelForObjectDetection, folder, f"an {_KIND}")
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    return Detector(network=network.to(device), processor=processor, device=device)

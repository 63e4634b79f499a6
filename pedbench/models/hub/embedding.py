"""Networks of transformers that embed a picture as a vector, from local folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from pedbench.errors import CheckpointError
from pedbench.models.hub.folders import load_pretrained, model_folder, read_json
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture

_KIND = "embedder (a transformers model of pictures, such as CLIP or DINOv2)"


@dataclass(frozen=True, kw_only=True)
class Embedder:
    """An embedder with its image processor.

    Attributes:
        network: Network of `AutoModel`, in evaluation mode, its parameters frozen.
        processor: Its image processor.
        device: Torch's name of its device.
    """

    network: Any
    processor: Any
    device: str

    def __call__(self, picture: Picture) -> npt.NDArray[np.float32]:
        """Return the vector (D,) of length 1 of a picture (H, W, 3).

        In models of pictures and text, such as CLIP, it is the image embedding; else the network's pooled output
        or, without one, the mean of its last tokens or cells.
        """
        pixels = self.processor(images=Image.fromarray(to_uint8(picture)), return_tensors="pt")[
            "pixel_values"
        ]
        forward = getattr(self.network, "get_image_features", self.network)
        with torch.inference_mode():
            outputs = forward(pixel_values=pixels.to(self.device))
        vector = outputs.get("pooler_output")
        if vector is None:
            last = outputs["last_hidden_state"]
            vector = last.mean(dim=1) if last.ndim == 3 else last.mean(dim=(2, 3))
        values: npt.NDArray[np.float32] = vector.flatten().float().cpu().numpy()
        return values / np.float32(max(float(np.linalg.norm(values)), 1e-12))


def load_embedder(model: str, device: str) -> Embedder:
    """Load an embedder with its image processor; nothing is downloaded and no code of the model is run.

    Args:
        model: Result of `model_reference`.
        device: Torch's name of the device.

    Raises:
        CheckpointError: The model is missing or of another kind.
    """
    folder = model_folder(model, _KIND, "config.json")
    if not (folder / "preprocessor_config.json").is_file():
        raise CheckpointError(f"{folder}: found no preprocessor_config.json\nexpected that of an {_KIND}")
    from transformers import AutoImageProcessor, AutoModel
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_MAPPING_NAMES,
        MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    )

    kind = read_json(folder / "config.json").get("model_type")
    if kind not in {*MODEL_FOR_IMAGE_MAPPING_NAMES, *MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES}:
        raise CheckpointError(f"{folder}: found a model of type {kind!r}\nexpected an {_KIND}")
    network = load_pretrained(AutoModel, folder, f"an {_KIND}")
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    return Embedder(network=network.to(device), processor=processor, device=device)

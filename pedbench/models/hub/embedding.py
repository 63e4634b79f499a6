"""Networks of transformers that embed a picture as a vector, from local folders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from pedbench.models.hub.folders import HubModel, load_with_processor
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture

_KIND = "an embedder (a transformers model of pictures, such as CLIP or DINOv2)"


@dataclass(frozen=True, kw_only=True)
class Embedder(HubModel):
    """An embedder with its image processor."""

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
    from transformers import AutoModel
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_MAPPING_NAMES,
        MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    )

    types = {*MODEL_FOR_IMAGE_MAPPING_NAMES, *MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES}
    loaded = load_with_processor(model, device, AutoModel, types, _KIND, "preprocessor_config.json")
    return Embedder(**loaded)

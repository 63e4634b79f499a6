"""Promptable segmenters of transformers from local folders, with their own decoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.base import Embedding, PluginUnavailable
from pedbench.models.hub.folders import HubModel, load_with_processor
from pedbench.pictures.frame import Size, scale_boxes, scale_points, to_uint8
from pedbench.types import Picture

_KIND = "a promptable segmenter (a transformers model for mask generation, such as SAM 2)"
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, kw_only=True)
class Segmenter(HubModel):
    """A promptable segmenter with its image processor."""

    def preprocess(self, frame: Picture) -> Mapping[str, Any]:
        """Return the processor's tensors of a frame (H, W, 3): `pixel_values` (1, 3, h, w), and sizes."""
        inputs: Mapping[str, Any] = self.processor(
            images=to_uint8(frame), return_tensors="pt", input_data_format="channels_last"
        )
        return inputs

    def encode(self, inputs: Mapping[str, Any]) -> Embedding:
        """Embed the frame that `preprocess` returned these tensors of."""
        pixels = inputs["pixel_values"].to(self.device)
        with torch.inference_mode():
            encoded = self.network.get_image_embeddings(pixels)
        # The decoder of SAM-HQ also reads tokens of the encoder's blocks.
        image, tokens = encoded if isinstance(encoded, tuple) else (encoded, None)
        embeddings = {"image_embeddings": image}
        if tokens is not None:
            embeddings["intermediate_embeddings"] = tokens
        # SAM's processor pads the frame; processors without this entry stretch it to the whole input.
        sizes = inputs.get("reshaped_input_sizes", torch.tensor([pixels.shape[2:]]))
        height, width = sizes[0].tolist()
        return Embedding(
            features=image if isinstance(image, Tensor) else image[-1],
            network=self.network,
            decoder=SegmenterDecoder(
                segmenter=self, embeddings=embeddings, frame=(height, width), canvas=max(pixels.shape[2:])
            ),
        )


@dataclass(frozen=True, kw_only=True)
class SegmenterDecoder:
    """A segmenter's decoder with the embedding of one picture; `pedbench.base.MaskDecoder` documents the methods.

    Attributes:
        segmenter: The segmenter.
        embeddings: Outputs of its encoder for a batch of one picture, by their names among the network's arguments.
        frame: Height and width of the picture within the network's input.
        canvas: Longest side of that input in pixels.
    """

    segmenter: Segmenter
    embeddings: Mapping[str, Tensor | list[Tensor]]
    frame: Size
    canvas: int

    def decode(
        self,
        original: Size,
        *,
        points: npt.NDArray[Any] | None = None,
        labels: npt.NDArray[Any] | None = None,
        boxes: npt.NDArray[Any] | None = None,
        logits: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        prompts: dict[str, Tensor] = {}
        if points is not None:
            prompts["input_points"] = torch.from_numpy(scale_points(points, original, self.frame)).float()
        if labels is not None:
            prompts["input_labels"] = torch.from_numpy(labels)
        if boxes is not None:
            prompts["input_boxes"] = torch.from_numpy(scale_boxes(boxes, original, self.frame)).float()
        # A mask to correct belongs to a picture of the batch, so each prompt gets a copy of the picture.
        inputs = {name: values[:, None].to(self.segmenter.device) for name, values in prompts.items()}
        count = len(next(iter(prompts.values())))
        embeddings = {name: _repeat(values, count) for name, values in self.embeddings.items()}
        outputs = self.segmenter.network(**embeddings, **inputs, input_masks=logits, multimask_output=True)
        return outputs.pred_masks[:, 0], outputs.iou_scores[:, 0]

    def upscale(self, logits: Tensor, original: Size) -> Tensor:
        (masks,) = self.segmenter.processor.post_process_masks(
            [logits], original_sizes=[original], reshaped_input_sizes=[self.frame]
        )
        return masks[:, 0]  # type: ignore[no-any-return]


def load_segmenter(model: str, device: str) -> Segmenter:
    """Load a segmenter with its image processor; nothing is downloaded and no code of the model is run.

    Args:
        model: Result of `model_reference`.
        device: Torch's name of the device.

    Raises:
        CheckpointError: The model is missing or of another kind.
        PluginUnavailable: The network needs a package that is not installed, such as timm for EdgeTAM.
    """
    from transformers import AutoModelForMaskGeneration
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASK_GENERATION_MAPPING_NAMES

    types = MODEL_FOR_MASK_GENERATION_MAPPING_NAMES
    try:
        loaded = load_with_processor(
            model, device, AutoModelForMaskGeneration, types, _KIND, *_PROCESSOR_FILES
        )
    except ImportError as error:
        raise PluginUnavailable(f"{model} cannot be loaded: {' '.join(str(error).split())}") from error
    return Segmenter(**loaded)


def _repeat(values: Tensor | list[Tensor], count: int) -> Tensor | list[Tensor]:
    """Return views of tensors (1, ...) as (count, ...)."""
    if isinstance(values, Tensor):
        return values.expand(count, *values.shape[1:])
    return [each.expand(count, *each.shape[1:]) for each in values]

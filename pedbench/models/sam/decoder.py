"""Masks for prompts from an image embedding, by SAM's prompt encoder and mask decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.pictures.frame import Size, frame_size, scale_boxes, scale_points


@dataclass(frozen=True, kw_only=True)
class SamDecoder:
    """The decoder of a SAM with the embedding of one picture; `pedbench.base.MaskDecoder` documents the methods.

    Attributes:
        features: (1, C, h, w) image embedding.
        network: The `segment_anything.modeling.Sam`.
    """

    features: Tensor
    network: Any

    @property
    def canvas(self) -> int:
        return int(self.network.image_encoder.img_size)

    def decode(
        self,
        original: Size,
        *,
        points: npt.NDArray[Any] | None = None,
        labels: npt.NDArray[Any] | None = None,
        boxes: npt.NDArray[Any] | None = None,
        logits: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        frame = frame_size(*original, self.canvas)
        prompts: dict[str, Any] = {}
        if points is not None:
            prompts["points"] = torch.from_numpy(scale_points(points, original, frame)).float()
        if labels is not None:
            prompts["labels"] = torch.from_numpy(labels)
        if boxes is not None:
            prompts["boxes"] = torch.from_numpy(scale_boxes(boxes, original, frame)).float()
        return predict_masks(self.network, self.features, mask_input=logits, **prompts)

    def upscale(self, logits: Tensor, original: Size) -> Tensor:
        frame = frame_size(*original, self.canvas)
        masks: Tensor = upscale(self.network, logits, frame, original)[:, 0] > self.network.mask_threshold
        return masks


def predict_masks(
    sam: Any,
    features: Tensor,
    *,
    points: Tensor | None = None,
    labels: Tensor | None = None,
    boxes: Tensor | None = None,
    mask_input: Tensor | None = None,
    batch: int = 64,
) -> tuple[Tensor, Tensor]:
    """Predict three masks for each prompt.

    Args:
        sam: The network.
        features: (1, C, h, w) image embedding.
        points: (B, K, 2) clicks as x, y in pixels of the frame.
        labels: (B, K); 1 foreground, 0 background, -1 no click.
        boxes: (B, 4) as left, top, right, bottom in pixels of the frame. With `points`, both form one prompt.
        mask_input: (B, 1, 4h, 4w) logits, as returned here, of the masks to correct.
        batch: Prompts decoded at a time; bounds memory, not results.

    Returns:
        Low-resolution logits (B, 3, 4h, 4w) over the canvas, and the predicted IoU (B, 3).

    Raises:
        ValueError: No prompt, or shapes that do not fit together.
    """
    if (points is None) != (labels is None):
        raise ValueError("points need labels and labels need points; found one without the other")
    if points is None and boxes is None:
        raise ValueError("found neither points nor boxes; a prompt needs at least one of them")
    if points is not None and labels is not None and (points.ndim != 3 or points.shape != (*labels.shape, 2)):
        raise ValueError(
            f"expected points (B, K, 2) and labels (B, K), found {points.shape} and {labels.shape}"
        )
    if boxes is not None and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValueError(f"expected boxes (B, 4), found {tuple(boxes.shape)}")
    if points is not None and boxes is not None and len(points) != len(boxes):
        raise ValueError(f"found {len(points)} prompts of points and {len(boxes)} boxes")
    device, dtype = features.device, features.dtype
    dense_positions = sam.prompt_encoder.get_dense_pe().to(dtype)
    count = len(boxes) if points is None and boxes is not None else len(points if points is not None else ())
    masks, ious = [], []
    for first in range(0, count, batch):
        part = slice(first, first + batch)
        clicks = None
        if points is not None and labels is not None:
            clicks = (points[part].to(device, torch.float32), labels[part].to(device))
        corners = None if boxes is None else boxes[part].to(device, torch.float32)
        former = None if mask_input is None else mask_input[part].to(device, torch.float32)
        sparse, dense = sam.prompt_encoder(points=clicks, boxes=corners, masks=former)
        low_resolution, iou = sam.mask_decoder(
            image_embeddings=features,
            image_pe=dense_positions,
            sparse_prompt_embeddings=sparse.to(dtype),
            dense_prompt_embeddings=dense.to(dtype),
            multimask_output=True,
        )
        masks.append(low_resolution)
        ious.append(iou)
    return torch.cat(masks), torch.cat(ious)


def upscale(sam: Any, low_resolution: Tensor, frame: tuple[int, int], original: tuple[int, int]) -> Tensor:
    """Upscale mask logits to the resolution of the original picture; a mask is where they exceed 0.

    Args:
        sam: The network.
        low_resolution: (B, 3, 4h, 4w) logits over the canvas.
        frame: Height and width of the frame in the canvas.
        original: Height and width (H, W) of the original picture.

    Returns:
        (B, 3, H, W) logits.
    """
    return sam.postprocess_masks(low_resolution.float(), frame, original)  # type: ignore[no-any-return]

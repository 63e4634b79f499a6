"""Mask prediction for prompts in pixels of the original picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.base import Embedding
from pedbench.host.determinism import single_threaded
from pedbench.models.sam.decoder import predict_masks, upscale
from pedbench.pictures.frame import Size, frame_size, scale_boxes, scale_points

_MOST_AT_ONCE = 8
"""Maximum prompts that one thread decodes together, whatever the number of threads."""

_PIXELS_AT_ONCE = 2**25
"""Maximum pixels (canvas or picture) of all masks that one thread works on; bounds the memory."""

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The mask with the highest predicted IoU of each prompt's three.

    Attributes:
        masks: (N, H, W) bool at the original resolution.
        logits: (N, 1, h, w) of the same masks over the canvas, as the decoder returns them.
    """

    masks: Masks
    logits: Tensor


def predict(
    embedding: Embedding,
    original: Size | tuple[int, ...],
    *,
    points: npt.NDArray[Any] | None = None,
    labels: npt.NDArray[Any] | None = None,
    boxes: npt.NDArray[Any] | None = None,
    logits: Tensor | None = None,
) -> Prediction:
    """Decode a mask for each prompt.

    Args:
        original: Height and width (H, W) of the original picture.
        points: (N, K, 2) clicks as x, y.
        labels: (N, K) 1 inside the object, 0 outside; all inside by default.
        boxes: (N, 4) left, top, right, bottom.
        logits: (N, 1, h, w) logits of the masks to correct.
    """
    network = embedding.network
    size = (original[0], original[1])
    frame = frame_size(*size, network.image_encoder.img_size)
    prompts: dict[str, Tensor] = {}
    if points is not None:
        prompts["points"] = torch.from_numpy(scale_points(points, size, frame)).float()
        inside = np.ones(points.shape[:2], np.int64)
        prompts["labels"] = torch.from_numpy(inside if labels is None else labels)
    if boxes is not None:
        prompts["boxes"] = torch.from_numpy(scale_boxes(boxes, size, frame)).float()
    with torch.inference_mode():
        low, predicted = predict_masks(
            network, embedding.features, mask_input=logits, batch=prompts_at_once(embedding, size), **prompts
        )
        chosen = low[torch.arange(len(low), device=low.device), predicted.argmax(dim=1)][:, None]
        masks = upscale(network, chosen, frame, size)[:, 0] > network.mask_threshold
    return Prediction(masks=masks.cpu().numpy(), logits=chosen)


def predict_at(embedding: Embedding, original: Size, points: npt.NDArray[Any]) -> Masks:
    """Decode a mask (H, W) for each of at least one point; independent of the number of threads.

    Args:
        original: Height and width (H, W) of the original picture.
        points: (N, 2) as x, y; each is a prompt.
    """
    parts = [points[part, None] for part in shares(len(points), prompts_at_once(embedding, original))]
    with single_threaded() as pool:
        masks = pool.map(lambda part: predict(embedding, original, points=part).masks, parts)
        return np.concatenate(list(masks))


def prompts_at_once(embedding: Embedding, original: Size) -> int:
    """Return the number of prompts that a thread decodes at a time."""
    canvas = int(embedding.network.image_encoder.img_size)
    return min(_MOST_AT_ONCE, max(1, _PIXELS_AT_ONCE // max(canvas * canvas, original[0] * original[1])))


def shares(count: int, most: int) -> list[slice]:
    """Cut `count` prompts into the fewest parts of at most `most`; sizes differ by at most one."""
    parts = -(-count // most)
    ends = [count * number // parts for number in range(1, parts + 1)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

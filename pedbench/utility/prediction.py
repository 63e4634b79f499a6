"""Mask prediction for prompts in pixels of the original picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pedbench.base import Embedding, MaskDecoder
from pedbench.host.determinism import single_threaded
from pedbench.models.sam.decoder import SamDecoder
from pedbench.pictures.frame import Size

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

    Raises:
        ValueError: There are neither points nor boxes.
    """
    size = (original[0], original[1])
    if points is not None and labels is None:
        labels = np.ones(points.shape[:2], np.int64)
    arguments = {"points": points, "labels": labels, "boxes": boxes, "logits": logits}
    prompts: dict[str, Any] = {name: values for name, values in arguments.items() if values is not None}
    places = boxes if points is None else points
    if places is None:
        raise ValueError("found neither points nor boxes; a prompt needs at least one of them")
    decoder, most = decoder_of(embedding), prompts_at_once(embedding, size)
    with torch.inference_mode():
        parts = [
            decoder.decode(size, **{name: values[first : first + most] for name, values in prompts.items()})
            for first in range(0, len(places), most)
        ]
        low, predicted = (torch.cat(each) for each in zip(*parts, strict=True))
        chosen = low[torch.arange(len(low), device=low.device), predicted.argmax(dim=1)][:, None]
        masks = decoder.upscale(chosen, size)
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


def decoder_of(embedding: Embedding) -> MaskDecoder:
    """Return the decoder of an embedding: its own, or that of its SAM."""
    return embedding.decoder or SamDecoder(features=embedding.features, network=embedding.network)


def prompts_at_once(embedding: Embedding, original: Size) -> int:
    """Return the number of prompts that a thread decodes at a time."""
    canvas = decoder_of(embedding).canvas
    return min(_MOST_AT_ONCE, max(1, _PIXELS_AT_ONCE // max(canvas * canvas, original[0] * original[1])))


def shares(count: int, most: int) -> list[slice]:
    """Cut `count` prompts into the fewest parts of at most `most`; sizes differ by at most one."""
    parts = -(-count // most)
    ends = [count * number // parts for number in range(1, parts + 1)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

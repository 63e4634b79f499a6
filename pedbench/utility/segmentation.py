"""Utility of an embedding: its masks for prompts, compared with the annotated ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal, TypedDict

import numpy as np
from torch import Tensor

from pedbench.base import Embedding
from pedbench.host.determinism import single_threaded
from pedbench.pictures.frame import Size, scale_points
from pedbench.types import Instance, Sample
from pedbench.utility.prediction import Masks, predict, prompts_at_once, shares
from pedbench.utility.prompts import bounding_box, innermost_pixel, next_click, saf_point

Protocol = Literal["clicks", "saf"]

PROMPTS: dict[Protocol, dict[str, str]] = {
    "clicks": {"1": "IoU[1 click]", "3": "IoU[3 clicks]", "5": "IoU[5 clicks]", "box": "IoU[box]"},
    "saf": {"1": "IoU[saf]"},
}
"""Metric of each prompt (a number of clicks, or the box), per protocol."""

SizeClass = Literal["S", "M", "L"]


class Row(TypedDict):
    """The value of one annotation.

    Attributes:
        metric: `IoU[1 click]`, `IoU[box]`, `IoU[saf]`, `agreement` and so on.
        size: COCO's class of the annotation's area: S < 32^2 <= M < 96^2 <= L.
        cut: Whether a border between windows runs through the object.
    """

    annotation: int
    metric: str
    value: float
    size: SizeClass
    cut: bool


def evaluate(
    embedding: Embedding,
    sample: Sample,
    *,
    frame: Size,
    window: int,
    protocol: Protocol,
    prompts: Sequence[str],
) -> list[Row]:
    """Score the masks of one picture's objects.

    After the first click, the decoder gets all clicks so far and the logits of the mask to correct, as in SAM's
    interactive training and evaluation (arXiv 2304.02643, appendices A and D.1). A mask without a wrong pixel
    stays as it is. Masks are thresholded and compared at the original resolution.

    Args:
        embedding: The defense's embedding of the picture's frame.
        sample: The picture. Instances without any pixel are skipped; crowds too, except in `saf`.
        frame: Height and width of the frame, to find the objects that a window's border cuts.
        window: Side of a window in pixels of the frame.
        protocol: Placement of the prompts.
        prompts: Prompts of `PROMPTS[protocol]` to score.

    Returns:
        A row for each instance and prompt; none for a picture without instances.

    Raises:
        ValueError: The protocol has no such prompt.
    """
    unknown = [prompt for prompt in prompts if prompt not in PROMPTS[protocol]]
    if unknown:
        known = ", ".join(PROMPTS[protocol])
        raise ValueError(f"protocol {protocol!r} has the prompts {known}; found {', '.join(unknown)}")
    counted = [item for item in sample.instances if protocol == "saf" or not item.crowd]
    instances = [item for item in counted if item.mask.any()]
    original = (sample.image.shape[0], sample.image.shape[1])

    def rows(part: Sequence[Instance]) -> list[Row]:
        truths = np.stack([item.mask for item in part])
        return [
            Row(
                annotation=item.id,
                metric=PROMPTS[protocol][prompt],
                value=value,
                size=size_class(item.area),
                cut=is_cut(item, frame, window),
            )
            for prompt, masks in _predictions(embedding, truths, protocol, prompts)
            for item, value in zip(part, intersection_over_union(masks, truths), strict=True)
        ]

    parts = [instances[part] for part in shares(len(instances), prompts_at_once(embedding, original))]
    with single_threaded() as pool:
        return list(chain.from_iterable(pool.map(rows, parts)))


def _predictions(
    embedding: Embedding, truths: Masks, protocol: Protocol, prompts: Sequence[str]
) -> list[tuple[str, Masks]]:
    if protocol == "saf":
        points = np.array([[saf_point(truth)] for truth in truths])
        masks = predict(embedding, truths.shape[1:], points=points).masks
        return [(prompt, masks) for prompt in prompts]
    counts = [int(prompt) for prompt in prompts if prompt != "box"]
    after = clicked_masks(embedding, truths, max(counts, default=0))
    predictions = [(str(count), after[count - 1]) for count in counts]
    if "box" in prompts:
        boxes = np.array([bounding_box(truth) for truth in truths])
        predictions.append(("box", predict(embedding, truths.shape[1:], boxes=boxes).masks))
    return predictions


def clicked_masks(embedding: Embedding, truths: Masks, clicks: int) -> list[Masks]:
    """Return the masks after one click, two clicks and so on; each click corrects the mask before it.

    Args:
        truths: (N, H, W) bool.
        clicks: Number of clicks.

    Returns:
        For each number of clicks the masks (N, H, W).
    """
    after: list[Masks] = []
    points = np.zeros((len(truths), clicks, 2))
    labels = np.ones((len(truths), clicks), np.int64)
    logits: Tensor | None = None
    for click in range(clicks):
        if logits is None:
            points[:, 0] = [innermost_pixel(truth) for truth in truths]
            prediction = predict(embedding, truths.shape[1:], points=points[:, :1])
            after.append(prediction.masks)
            logits = prediction.logits
            continue
        masks = after[-1].copy()
        corrections = [next_click(truth, mask) for truth, mask in zip(truths, masks, strict=True)]
        wrong = [place for place, correction in enumerate(corrections) if correction is not None]
        for place, correction in enumerate(corrections):
            if correction is not None:
                points[place, click], labels[place, click] = correction
        if wrong:
            prediction = predict(
                embedding,
                truths.shape[1:],
                points=points[wrong, : click + 1],
                labels=labels[wrong, : click + 1],
                logits=logits[wrong],
            )
            masks[wrong] = prediction.masks
            logits = logits.clone()
            logits[wrong] = prediction.logits
        after.append(masks)
    return after


def intersection_over_union(masks: Masks, truths: Masks) -> list[float]:
    """Compute the IoU of each mask with its truth by pycocotools; 0 for an empty mask.

    Args:
        masks: (N, H, W) bool.
        truths: (N, H, W) bool.
    """
    from pycocotools import mask as coco_mask

    guesses, targets = (
        coco_mask.encode(np.asfortranarray(stack.transpose(1, 2, 0), np.uint8)) for stack in (masks, truths)
    )
    pairs = zip(guesses, targets, strict=True)
    return [float(coco_mask.iou([guess], [target], [0])[0, 0]) for guess, target in pairs]


def size_class(area: float) -> SizeClass:
    """Return COCO's size class of an area in square pixels of the original picture."""
    return "S" if area < 32**2 else "M" if area < 96**2 else "L"


def is_cut(instance: Instance, frame: Size, window: int) -> bool:
    """Return whether a border between windows runs through an object.

    Args:
        frame: Height and width of the frame.
        window: Side of a window in pixels of the frame.
    """
    left, top, right, bottom = bounding_box(instance.mask)
    centres = np.array([[left, top], [right - 1, bottom - 1]]) + 0.5
    first, last = scale_points(centres, (instance.mask.shape[0], instance.mask.shape[1]), frame) // window
    return bool((first != last).any())

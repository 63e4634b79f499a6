"""Masks of an object, asked prompt by prompt of a predictor with the interface of `SamPredictor`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pedbench.types import Mask


def counted(guess: Mask, truth: Mask) -> float:
    return float((guess & truth).sum() / (guess | truth).sum())


def ask(predictor: Any, **prompt: Any) -> tuple[Mask, npt.NDArray[np.float32]]:
    masks, scores, logits = predictor.predict(**prompt)
    return masks[scores.argmax()], logits[scores.argmax()][None]


def farthest(region: Mask) -> list[int]:
    distance = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(distance.argmax(), distance.shape)
    return [int(column), int(row)]


def one_by_one(predictor: Any, truth: Mask, clicks: int) -> list[Mask]:
    points, labels = [farthest(truth)], [1]
    found, logits = ask(predictor, point_coords=np.array(points), point_labels=np.array(labels))
    masks = [found]
    for _ in range(clicks - 1):
        missed, surplus = truth & ~masks[-1], masks[-1] & ~truth
        labels.append(int(missed.sum() >= surplus.sum()))
        points.append(farthest(missed if labels[-1] else surplus))
        prompt = {"point_coords": np.array(points), "point_labels": np.array(labels), "mask_input": logits}
        found, logits = ask(predictor, **prompt)
        masks.append(found)
    return masks

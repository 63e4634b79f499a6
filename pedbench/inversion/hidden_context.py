"""Guesses of the categories that are hidden from a view, by what is visible around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from pedbench.models.attackers.context import ContextNetwork, cell_shares, detector_features
from pedbench.models.attackers.context_head import ContextHead
from pedbench.models.hub.detection import Detector
from pedbench.models.hub.embedding import Embedder
from pedbench.types import Mask, Picture, View

CONFIDENCE = 0.3
"""Confidence from which a detected object counts as seen, as in the probe `objects`."""

_LEAST = 1e-4
"""Smallest probability of a guess, and of its opposite."""


def seen_categories(view: View, detector: Detector, categories: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return (K,) the categories that a detector finds in a view's exact pixels, the rest filled with their mean.

    Args:
        view: What a coalition holds; nothing is seen in one without exact pixels.
        detector: A detector; what it finds of other categories is ignored.
        categories: The K names.
    """
    canvas, covered = view.canvas()
    seen = np.zeros(len(categories), np.bool_)
    if covered.any():
        filled = np.where(covered[..., None], canvas, canvas[covered].mean(axis=0, dtype=np.float64))
        for detection in detector(filled.astype(np.float32), CONFIDENCE):
            if detection.category in categories:
                seen[categories.index(detection.category)] = True
    return seen


def hidden_by_network(view: View, network: ContextNetwork, detector: Detector) -> npt.NDArray[np.float64]:
    """Return (K,) the probability that each category is hidden, from a network that reads a detector's features.

    Args:
        view: What a coalition holds.
        network: In evaluation mode, for frames of at most 352 pixels.
        detector: The detector that it was trained with.
    """
    canvas, covered = view.canvas()
    picture = torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1)))[None]
    visible = torch.from_numpy(covered.astype(np.float32))[None, None]
    cells = network.sizes.cells
    with torch.inference_mode():
        features = detector_features(detector.network, picture, visible)
        logits = network(features, cell_shares(visible, cells), cell_shares(torch.ones_like(visible), cells))
    probabilities: npt.NDArray[np.float64] = torch.sigmoid(logits[0]).double().numpy()
    return probabilities.clip(_LEAST, 1 - _LEAST)


def visible_square(canvas: Picture, covered: Mask) -> Picture:
    """Return the visible pixels on a square in their mean colour, of which embedders that crop lose nothing.

    Args:
        canvas: (H, W, 3) in [0, 1].
        covered: (H, W) bool, the visible pixels; without any the square is grey.

    Returns:
        (S, S, 3) in [0, 1], S the longer of H and W.
    """
    height, width = covered.shape
    square = np.full((max(height, width),) * 2 + (3,), 0.5, np.float32)
    if covered.any():
        square[:] = canvas[covered].mean(axis=0, dtype=np.float64)
        square[:height, :width][covered] = canvas[covered]
    return square


def hidden_by_head(view: View, head: ContextHead, embedder: Embedder) -> npt.NDArray[np.float64]:
    """Return (K,) the probability that each category is hidden, from a linear head on a vector of what is visible.

    Args:
        view: What a coalition holds.
        head: In evaluation mode.
        embedder: The embedder that it was trained with.
    """
    vector = torch.from_numpy(embedder(visible_square(*view.canvas())))
    with torch.inference_mode():
        logits = head(vector[None])[0]
    probabilities: npt.NDArray[np.float64] = torch.sigmoid(logits.double()).numpy()
    return probabilities.clip(_LEAST, 1 - _LEAST)

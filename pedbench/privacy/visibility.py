"""The pixels of a frame that count as visible to a coalition."""

from __future__ import annotations

import numpy as np

from pedbench.types import Mask, Picture, View

# A degraded patch that is this much the frame's is not degraded.
_SAME_SHARE = 0.99
_LEVEL = 1.001 / 255


def visible_mask(view: View, truth: Picture) -> Mask:
    """Mark the pixels that a coalition received exactly, within 1/255, at their place.

    A patch shows what matches. One received in a degraded form shows nothing, unless nearly all matches.

    Args:
        view: What the coalition holds.
        truth: The frame.

    Returns:
        (H, W) bool.
    """
    visible = np.zeros(truth.shape[:2], np.bool_)
    for patches, needed in ((view.patches, 0.0), (view.degraded, _SAME_SHARE)):
        for patch in view.in_frame(patches):
            covered = patch.slices
            matching = (np.abs(patch.picture - truth[covered]) <= _LEVEL).all(axis=2)
            if matching.mean() >= needed:
                visible[covered] |= matching
    return visible

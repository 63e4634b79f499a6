"""Share of an object that lies in what one coalition received: geometry, without any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pedbench.types import Mask


def exposed_shares(instances: Mapping[int, Mask], visible: Sequence[Mask]) -> dict[int, float]:
    """The largest visible share of each instance over coalitions.

    Args:
        instances: Annotation id -> (H, W) bool in the frame.
        visible: For each coalition the visible pixels, (H, W) bool.

    Returns:
        Annotation id -> share in [0, 1]; an instance without a pixel in the frame is absent.

    Raises:
        ValueError: No coalition, or masks of different sizes.
    """
    if not visible:
        raise ValueError("exposure needs at least one coalition")
    shares = {}
    for annotation, mask in instances.items():
        if any(seen.shape != mask.shape for seen in visible):
            raise ValueError(f"instance {annotation}: a mask of {mask.shape}, a coalition's of another size")
        pixels = int(np.count_nonzero(mask))
        if pixels:
            shares[annotation] = max(int(np.count_nonzero(mask & seen)) for seen in visible) / pixels
    return shares

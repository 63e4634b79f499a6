"""Completion of pictures by a trained restoration network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pedbench.types import Mask, Picture

if TYPE_CHECKING:
    from torch import Tensor

    from pedbench.models.attackers.restoration import RestorationTransformer


def complete_frame(
    network: RestorationTransformer,
    canvas: Picture,
    seen: Mask,
    tokens: npt.NDArray[np.float32] | None = None,
    tokens_seen: Mask | None = None,
) -> Picture:
    """Guess a frame; seen pixels are unchanged.

    Args:
        network: Network in evaluation mode.
        canvas: (H, W, 3) in [0, 1], black where not seen.
        seen: (H, W) bool.
        tokens: (h, w, C) an encoder's tokens on their grid, for networks that decode tokens.
        tokens_seen: (h, w) bool, the tokens that are known.

    Returns:
        (H, W, 3) in [0, 1].
    """
    import torch
    from torch.nn import functional

    height, width = seen.shape
    side = network.sizes.canvas
    scale = side / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))

    def on_canvas(plane: Tensor) -> Tensor:
        """Return (1, C, H, W) reduced to the network's resolution, in the canvas's top left corner."""
        small = functional.interpolate(plane, size, mode="area")
        return functional.pad(small, (0, side - size[1], 0, side - size[0]))

    with torch.inference_mode():
        share = on_canvas(torch.from_numpy(seen.astype(np.float32))[None, None])
        # Hidden pixels are black, so dividing by the seen share gives the mean of the seen ones.
        known = on_canvas(torch.from_numpy(canvas.transpose(2, 0, 1).copy())[None]) / share.clamp(min=1e-6)
        inside = on_canvas(torch.ones(1, 1, height, width))
        if tokens is None or tokens_seen is None:
            guess = network(known, share, inside)
        else:
            mask = torch.from_numpy(tokens_seen.astype(np.float32))[None, None]
            guess = network(
                known, share, inside, torch.from_numpy(tokens.transpose(2, 0, 1).copy())[None], mask
            )
        whole = functional.interpolate(guess[..., : size[0], : size[1]], (height, width), mode="bicubic")
    picture = whole[0].clamp(0, 1).permute(1, 2, 0).numpy()
    return np.where(seen[..., None], canvas, picture).astype(np.float32)

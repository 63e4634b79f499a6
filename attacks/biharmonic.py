"""Floor: the smoothest surface through the visible pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.restoration import inpaint_biharmonic

from pedbench.base import Attack
from pedbench.pictures.frame import resize_channels
from pedbench.types import Picture, View


@dataclass(kw_only=True)
class Biharmonic(Attack):
    """Continue the visible pixels as a biharmonic surface, solved on a small copy and enlarged.

    Attributes:
        side: Longest side in pixels of the copy. Larger ones are slower and, for large holes, worse.
    """

    name = "biharmonic"
    version = 1
    cite = "Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, 2018"
    needs = frozenset({"nothing", "pixels"})
    floor = True

    side: int = 80

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        canvas, seen = view.canvas()
        if not seen.any():
            return np.tile(view.prior.mean_colour, (*view.frame_size, 1)).astype(np.float32)
        scale = min(1.0, self.side / max(view.frame_size))
        size = (max(1, round(view.frame_size[0] * scale)), max(1, round(view.frame_size[1] * scale)))
        # The canvas is black where nothing came, so dividing by the covered share leaves the mean of
        # the received pixels in each cell.
        share = resize_channels(seen[..., None].astype(np.float32), size, Image.Resampling.BOX)
        small = resize_channels(canvas, size, Image.Resampling.BOX) / np.maximum(share, 1e-6)
        filled = inpaint_biharmonic(small, share[..., 0] == 0, channel_axis=2)
        smooth = np.clip(
            resize_channels(filled.astype(np.float32), view.frame_size, Image.Resampling.BICUBIC), 0, 1
        )
        return np.where(seen[..., None], canvas, smooth)

"""Undoing a blur or a loss of resolution whose strength is public."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pedbench.base import Attack, Proof
from pedbench.inversion.deconvolution import (
    CORRELATION,
    block_operator,
    blur_operator,
    resolution_operator,
    richardson_lucy,
    wiener,
)
from pedbench.inversion.read_out import read_out
from pedbench.types import Picture, View

METHODS = ("wiener", "richardson_lucy")


@dataclass(kw_only=True)
class Deblur(Attack):
    """Undo what `gaussian_blur`, `pixelate` or `downsample` did, whose strength is public.

    What was degraded in another way is read as it is. Proven on `gaussian_blur` at its default strength, where
    on scenes the whole frame's PSNR rises by 3 dB above the blurred picture's.

    Attributes:
        method: `wiener`, or `richardson_lucy` (blur alone), which is slower and gains a dB less.
        iterations: Of `richardson_lucy`.
    """

    name = "deblur"
    version = 1
    cite = "Wiener 1949; Richardson 1972; Lucy 1974"
    needs = frozenset({"degraded"})
    proof = Proof(defense="gaussian_blur", metric="PSNR", region="whole", least=2, over="read_degraded")

    method: str = "wiener"
    iterations: int = 100

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; known: {', '.join(METHODS)}")
        if self.iterations < 1:
            raise ValueError(f"iterations is at least 1, found {self.iterations}")

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        sharp = tuple(replace(patch, picture=self._sharpen(patch.picture, view)) for patch in view.degraded)
        return read_out(replace(view, degraded=sharp))

    def _sharpen(self, picture: Picture, view: View) -> Picture:
        height, width = picture.shape[:2]
        longest = max(view.frame_size)
        params = view.description.get("params", {})
        match view.description.get("defense"):
            case "gaussian_blur":
                sigma = params["sigma"] * longest
                rows, columns = blur_operator(height, sigma), blur_operator(width, sigma)
                if self.method == "richardson_lucy":
                    return richardson_lucy(picture, rows, columns, self.iterations)
                return wiener(picture, rows, columns, CORRELATION * longest)
            case "pixelate":
                side = max(1, round(params["block"] * longest))
                rows, columns = block_operator(height, side), block_operator(width, side)
                return wiener(picture[::side, ::side], rows, columns, CORRELATION * longest)
            case "downsample":
                coarse = [max(1, round(length / params["factor"])) for length in (height, width)]
                rows, columns = resolution_operator(height, coarse[0]), resolution_operator(width, coarse[1])
                return wiener(picture, rows, columns, CORRELATION * longest)
        return picture

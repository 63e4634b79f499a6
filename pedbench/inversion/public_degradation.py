"""Degradations that attackers know from a defense's public description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pedbench.inversion.deconvolution import (
    CORRELATION,
    Matrix,
    block_operator,
    blur_operator,
    resolution_operator,
    wiener,
)
from pedbench.pictures.blocks import laplace_scale
from pedbench.types import Picture

KNOWN = ("gaussian_blur", "pixelate", "dp_pixelate", "downsample")
"""Names of the defenses with degradations of a known strength."""


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """A separable degradation of frames.

    Attributes:
        kind: `blur`, `blocks` or `resolution`.
        strength: Standard deviation of the blur or side of a block, in pixels of the frame, or the factor by
            which height and width shrink.
        rows: (h, H), its matrix along a column of pixels.
        columns: (w, W), its matrix along a row.
        every: Step between rows and columns with new information in the received picture.
        longest: The frame's longest side in pixels.
        noise: Variance of additive noise.
    """

    kind: str
    strength: float
    rows: Matrix
    columns: Matrix
    every: int = 1
    longest: int
    noise: float = 0.0

    def estimate(self, degraded: Picture) -> Picture:
        """Return the best linear estimate (H, W, 3) of the frame; see `deconvolution.wiener`."""
        observed = degraded[:: self.every, :: self.every]
        return wiener(observed, self.rows, self.columns, CORRELATION * self.longest, self.noise)


def known_degradation(
    description: Mapping[str, Any], size: tuple[int, int], longest: int
) -> Degradation | None:
    """Return the degradation of a defense's pictures.

    Args:
        description: The defense's public description, from a view.
        size: Height and width of a received picture.
        longest: The frame's longest side in pixels.

    Returns:
        The degradation; None if the description names none of this kind.
    """
    params = description.get("params", {})
    height, width = size
    match description.get("defense"):
        case "gaussian_blur":
            sigma = params["sigma"] * longest
            rows, columns = blur_operator(height, sigma), blur_operator(width, sigma)
            return Degradation(kind="blur", strength=sigma, rows=rows, columns=columns, longest=longest)
        case "pixelate" | "dp_pixelate" as name:
            side = max(1, round(params["block"] * longest))
            rows, columns = block_operator(height, side), block_operator(width, side)
            noisy = name == "dp_pixelate"
            return Degradation(
                kind="blocks",
                strength=side,
                rows=rows,
                columns=columns,
                every=side,
                longest=longest,
                noise=2 * float(laplace_scale(side**2, params["m"], params["epsilon"])) ** 2
                if noisy
                else 0.0,
            )
        case "downsample":
            factor = params["factor"]
            coarse = [max(1, round(length / factor)) for length in size]
            rows, columns = resolution_operator(height, coarse[0]), resolution_operator(width, coarse[1])
            return Degradation(
                kind="resolution", strength=factor, rows=rows, columns=columns, longest=longest
            )
    return None

"""Pixels from patch-embedded tokens: what a linear projection determines of the patch behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, optimize

from pedbench.types import Picture

Matrix = npt.NDArray[np.float64]

_CALM = 0.05
"""Such a share of a picture's patches is taken for flat."""
_FAINTEST = 1e-12
"""Least variance of noise, over the tokens' largest: what double precision stands."""


@dataclass(frozen=True, kw_only=True)
class PatchEmbedding:
    """tokens = patches @ weight.T + bias, with patches as flat pixels in [0, 1].

    Attributes:
        weight: (C, 3 * side * side); a patch is flattened as channels, rows, columns.
        bias: (C,).
        positions: (h, w, C) position embedding that the encoder adds afterwards.
        side: Side of a patch in pixels.
    """

    weight: Matrix
    bias: Matrix
    positions: Matrix
    side: int

    def embed(self, patches: Matrix) -> Matrix:
        """(n, C) tokens of (n, 3 * side * side) flat patches."""
        return patches @ self.weight.T + self.bias


def embedding_of(network: Any) -> PatchEmbedding:
    """The patch embedding of a `segment_anything.modeling.Sam`, its normalisation of pixels included."""
    encoder = network.image_encoder
    weight = encoder.patch_embed.proj.weight.detach().cpu().double().numpy()
    bias = encoder.patch_embed.proj.bias.detach().cpu().double().numpy()
    mean = network.pixel_mean.cpu().double().numpy().reshape(3, 1, 1)
    deviation = network.pixel_std.cpu().double().numpy().reshape(3, 1, 1)
    channels, _, side, _ = weight.shape
    return PatchEmbedding(
        weight=(weight * 255 / deviation).reshape(channels, -1),
        bias=bias - (weight * mean / deviation).sum(axis=(1, 2, 3)),
        positions=encoder.pos_embed[0].detach().cpu().double().numpy(),
        side=side,
    )


@dataclass(frozen=True, kw_only=True)
class PatchStatistics:
    """Mean, (3 * side * side,), and covariance of flat patches, as an attacker expects them."""

    mean: Matrix
    covariance: Matrix


def patch_statistics(pictures: Iterable[Picture], side: int) -> PatchStatistics:
    """Statistics of patches that may lie anywhere in pictures of a kind.

    Pictures are taken for stationary: two pixels are as correlated as their offset says, wherever they are.
    That makes a few pictures enough for a covariance of full rank.

    Args:
        pictures: (h, w, 3) in [0, 1].
        side: Side of a patch in pixels.

    Raises:
        ValueError: No picture is as large as a patch.
    """
    usable = [picture.astype(np.float64) for picture in pictures if min(picture.shape[:2]) >= side]
    if not usable:
        raise ValueError(f"expected pictures of at least {side}x{side} pixels, found none")
    mean = np.mean([picture.mean(axis=(0, 1)) for picture in usable], axis=0)
    lags = 2 * side - 1
    sums, pixels = np.zeros((3, 3, lags, lags)), 0
    reach = np.arange(-side + 1, side)
    for picture in usable:
        planes = (picture - mean).transpose(2, 0, 1)
        # So much room that no offset within a patch wraps around.
        size = [fft.next_fast_len(length + side, real=True) for length in planes.shape[1:]]
        spectrum = fft.rfft2(planes, s=size)
        products = fft.irfft2(spectrum[:, None].conj() * spectrum[None], s=size)
        sums += products[:, :, reach[:, None], reach]
        pixels += planes[0].size
    # Over all pixels, not over the pairs that an offset has: the covariance then has no negative eigenvalue.
    correlation = sums / pixels
    offsets = np.arange(side)
    apart = offsets[None, :] - offsets[:, None] + side - 1
    # correlation[c, d, dy, dx] for pixels (c, y, x) and (d, y + dy, x + dx).
    covariance = correlation[:, :, apart[:, None, :, None], apart[None, :, None, :]]
    values = 3 * side * side
    flat = covariance.transpose(0, 2, 3, 1, 4, 5).reshape(values, values)
    return PatchStatistics(mean=np.repeat(mean, side * side), covariance=(flat + flat.T) / 2)


def pseudo_inverse(embedding: PatchEmbedding, tokens: Matrix) -> Matrix:
    """The smallest patches that give these tokens: exact where there are as many channels as values.

    Args:
        tokens: (n, C), without position embedding.

    Returns:
        (n, 3 * side * side), not clipped.
    """
    patches: Matrix = (tokens - embedding.bias) @ np.linalg.pinv(embedding.weight).T
    return patches


class LinearEstimator:
    """Reads patches off tokens with the least expected squared error: the linear MMSE estimate.

    Tokens are taken for the embedding of patches with known mean and covariance, plus white noise.

    Args:
        embedding: What made the tokens.
        statistics: Of the patches.

    Source: Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, section 12.5.
    """

    def __init__(self, embedding: PatchEmbedding, statistics: PatchStatistics) -> None:
        self.mean = embedding.embed(statistics.mean[None])[0]
        self.prior = statistics.mean
        self.crossed = embedding.weight @ statistics.covariance
        variances, self.directions = np.linalg.eigh(self.crossed @ embedding.weight.T)
        self.variances = np.maximum(variances, 0)

    def noise(self, tokens: Matrix) -> float:
        """The variance of the noise that tokens seem to carry; rounding alone makes some.

        It is the one under which they are likeliest, unless even calm patches, which have little to show in the
        directions where patches vary least, vary by less. Without that bound, patches livelier than expected
        would pass for noisy ones, and pixels that tokens determine would be smoothed.
        """
        squares = np.square((tokens - self.mean) @ self.directions)
        bound = np.quantile(squares[:, self.variances <= np.median(self.variances)].mean(axis=1), _CALM)
        energies, top = squares.mean(axis=0), max(float(self.variances.max()), 1e-12)

        def surprise(logarithm: float) -> float:
            spread = self.variances + math.exp(logarithm)
            return float((np.log(spread) + energies / spread).sum())

        bounds = (math.log(_FAINTEST * top), math.log(top))
        found = optimize.minimize_scalar(surprise, bounds=bounds, method="bounded")
        return float(np.clip(bound, _FAINTEST * top, math.exp(found.x)))

    def surprise(self, tokens: Matrix, noise: float) -> npt.NDArray[np.float64]:
        """(n,) negative logarithm of each token's Gaussian density, but for a constant."""
        spread = self.variances + noise
        squares = np.square((tokens - self.mean) @ self.directions) / spread
        total: npt.NDArray[np.float64] = squares.sum(axis=1) / 2 + np.log(spread).sum() / 2
        return total

    def patches(self, tokens: Matrix, noise: float) -> Matrix:
        """(n, 3 * side * side) estimates, not clipped."""
        weights = (tokens - self.mean) @ self.directions / (self.variances + noise)
        estimates: Matrix = weights @ (self.directions.T @ self.crossed) + self.prior
        return estimates

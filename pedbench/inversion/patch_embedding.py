"""Estimation of pixels from patch-embedded tokens, which are linear projections of patches."""

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
"""Share of a picture's patches that is assumed flat."""
_FAINTEST = 1e-12
"""Least variance of noise, relative to the tokens' largest: the limit of double precision."""


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
        """Embed flat patches (n, 3 * side * side) as tokens (n, C)."""
        return patches @ self.weight.T + self.bias


def embedding_of(network: Any) -> PatchEmbedding:
    """Return the patch embedding of a `segment_anything.modeling.Sam`, including its normalisation of pixels."""
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
    """Mean (3 * side * side,) and covariance of flat patches under an attacker's prior."""

    mean: Matrix
    covariance: Matrix


def patch_statistics(pictures: Iterable[Picture], side: int) -> PatchStatistics:
    """Estimate the statistics of patches anywhere in pictures of a kind.

    Pictures are assumed stationary: the correlation of two pixels depends on their offset only. So a few
    pictures suffice for a covariance of full rank.

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
        # Padded so that no offset within a patch wraps around.
        size = [fft.next_fast_len(length + side, real=True) for length in planes.shape[1:]]
        spectrum = fft.rfft2(planes, s=size)
        products = fft.irfft2(spectrum[:, None].conj() * spectrum[None], s=size)
        sums += products[:, :, reach[:, None], reach]
        pixels += planes[0].size
    # Divided by all pixels, not by the pairs of an offset, which keeps the covariance positive semidefinite.
    correlation = sums / pixels
    offsets = np.arange(side)
    apart = offsets[None, :] - offsets[:, None] + side - 1
    # correlation[c, d, dy, dx] for pixels (c, y, x) and (d, y + dy, x + dx).
    covariance = correlation[:, :, apart[:, None, :, None], apart[None, :, None, :]]
    values = 3 * side * side
    flat = covariance.transpose(0, 2, 3, 1, 4, 5).reshape(values, values)
    return PatchStatistics(mean=np.repeat(mean, side * side), covariance=(flat + flat.T) / 2)


def pseudo_inverse(embedding: PatchEmbedding, tokens: Matrix) -> Matrix:
    """Return the smallest patches with these tokens; exact if there are as many channels as values.

    Args:
        tokens: (n, C), without position embedding.

    Returns:
        (n, 3 * side * side), not clipped.
    """
    patches: Matrix = (tokens - embedding.bias) @ np.linalg.pinv(embedding.weight).T
    return patches


class LinearEstimator:
    """Linear MMSE estimator of patches from tokens.

    The model of tokens is the embedding of patches with known mean and covariance, plus white noise.

    Args:
        embedding: The embedding of the tokens.
        statistics: Statistics of the patches.

    Source: Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, 1993, section 12.5.
    """

    def __init__(self, embedding: PatchEmbedding, statistics: PatchStatistics) -> None:
        self.embedding, self.statistics = embedding, statistics
        self.mean = embedding.embed(statistics.mean[None])[0]
        self.crossed = embedding.weight @ statistics.covariance
        variances, self.directions = np.linalg.eigh(self.crossed @ embedding.weight.T)
        self.variances = np.maximum(variances, 0)

    def noise(self, tokens: Matrix) -> float:
        """Estimate the variance of the noise in tokens; rounding alone causes some.

        It is the maximum likelihood estimate, bounded by the variance of calm patches in the directions where
        patches vary least. Without the bound, patches with more contrast than expected would count as noisy,
        and pixels that the tokens determine would be smoothed.
        """
        squares = np.square((tokens - self.mean) @ self.directions)
        bound = np.quantile(squares[:, self.variances <= np.median(self.variances)].mean(axis=1), _CALM)
        energies, top = squares.mean(axis=0), max(float(self.variances.max()), 1e-12)

        def surprise(logarithm: float) -> float:
            spread = self.variances + math.exp(logarithm)
            return float((np.log(spread) + energies / spread).sum())

        bounds = (math.log(_FAINTEST * top), math.log(top))
        optimum = optimize.minimize_scalar(surprise, bounds=bounds, method="bounded")
        return float(np.clip(bound, _FAINTEST * top, math.exp(optimum.x)))

    def surprise(self, tokens: Matrix, noise: float) -> npt.NDArray[np.float64]:
        """Return each token's negative log Gaussian density (n,), up to a constant."""
        spread = self.variances + noise
        squares = np.square((tokens - self.mean) @ self.directions) / spread
        total: npt.NDArray[np.float64] = squares.sum(axis=1) / 2 + np.log(spread).sum() / 2
        return total

    def patches(self, tokens: Matrix, noise: float) -> Matrix:
        """Estimate the patches (n, 3 * side * side), not clipped."""
        weights = (tokens - self.mean) @ self.directions / (self.variances + noise)
        estimates: Matrix = weights @ (self.directions.T @ self.crossed) + self.statistics.mean
        return estimates

    def explained(self, noise: float) -> float:
        """Return the share of the patches' variance that `patches` is expected to explain, in [0, 1]."""
        energies = np.square(self.directions.T @ self.crossed).sum(axis=1)
        share = (energies / (self.variances + noise)).sum() / np.trace(self.statistics.covariance)
        return float(np.clip(share, 0, 1))

    def explained_by_pseudo_inverse(self, noise: float) -> float:
        """Return the share of the patches' variance that `pseudo_inverse` is expected to explain, in [0, 1]."""
        inverse = np.linalg.pinv(self.embedding.weight)
        lost = np.eye(len(inverse)) - inverse @ self.embedding.weight
        error = ((lost @ self.statistics.covariance) * lost).sum() + np.square(
            lost @ self.statistics.mean
        ).sum()
        error += noise * np.square(inverse).sum()
        return float(np.clip(1 - error / np.trace(self.statistics.covariance), 0, 1))

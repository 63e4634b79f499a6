"""Continuation of texture that repeats: stripes, tiles and printed walls.

Source: He and Sun, Statistics of Patch Offsets for Image Completion, ECCV 2012, for offsets at which a picture's seen
    part resembles itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import find_objects, gaussian_filter
from scipy.spatial.distance import cdist

from pedbench.types import Mask, Picture

_SIDE = 320
"""Longest side in pixels of the frames for which the lengths below hold."""

_SMOOTH, _AROUND = 4.0, 3.0
"""Standard deviations in pixels: of the filter that leaves no texture, and of the mean of the texture's contrast."""

_FLAT = 0.05
"""Mean contrast below which a place is a surface, not an object's edge."""

_COLOURS = 8
_ALIKE = 0.12
"""Distance of a surface's colours from their centre."""

_LEAST_PIXELS = 500
_LEAST_OFFSET = 6
_LEAST_CORRELATION = 0.4
_OFFSETS = 80
"""Offsets tried for a surface."""

_GRAIN = 16
"""Pixels that are as good as one independent value in a correlation."""


def continue_texture(guess: Picture, seen: Mask) -> Picture:
    """Copy repeating texture from seen surfaces to hidden ones of the same colour.

    A surface's offsets are those at which its seen pixels correlate with themselves. Copied texture is scaled by the
    correlation, so that texture without repetition is left out.

    Args:
        guess: (H, W, 3) in [0, 1]; the seen part is exact.
        seen: (H, W).

    Returns:
        (H, W, 3) in [0, 1]; the seen part is unchanged.
    """
    unit = max(seen.shape) / _SIDE
    smooth = gaussian_filter(guess, (_SMOOTH * unit, _SMOOTH * unit, 0))
    texture = guess - smooth
    flat = gaussian_filter(np.abs(texture.mean(axis=2)), _AROUND * unit) < _FLAT
    known, hidden = seen & flat, ~seen & flat
    if known.sum() < _LEAST_PIXELS or not hidden.any():
        return guess
    colours, _ = kmeans(smooth[known][::7].astype(np.float64), _COLOURS, iter=1, rng=np.random.default_rng(0))
    apart = cdist(smooth.reshape(-1, 3), colours).reshape(*seen.shape, -1)
    alike, nearest = apart < _ALIKE, apart.argmin(axis=2)
    result = guess.copy()
    for surface in range(len(colours)):
        target = hidden & alike[..., surface] & (nearest == surface)
        source = known & alike[..., surface]
        if target.any() and source.sum() >= _LEAST_PIXELS:
            copied, reliability = _copy(texture, source, target)
            repeated = smooth[target] + copied
            result[target] += reliability[:, None] * (repeated - guess[target])
    return result.clip(0, 1).astype(np.float32)


def _copy(
    texture: Picture, source: Mask, target: Mask
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the target's pixels of texture, (n, 3), and how sure each is, (n,); copies of copies are less sure."""
    height, width = source.shape
    reliability, origins = source.ravel().astype(np.float32), np.arange(source.size)
    rows, columns = np.nonzero(target)
    offsets = [*_offsets(texture.mean(axis=2), source)]
    for _ in range(2):
        for down, right, correlation in offsets:
            inside = (rows + down >= 0) & (rows + down < height)
            inside &= (columns + right >= 0) & (columns + right < width)
            places = (rows * width + columns)[inside]
            copied = places + down * width + right
            sure = np.float32(correlation) * reliability[copied]
            better = (sure > reliability[places]) & (sure >= _LEAST_CORRELATION)
            reliability[places[better]] = sure[better]
            origins[places[better]] = origins[copied[better]]
    places = rows * width + columns
    return texture.reshape(-1, 3)[origins[places]], reliability[places]


def _offsets(texture: npt.NDArray[np.float32], source: Mask) -> Iterator[tuple[int, int, float]]:
    """Yield rows and columns to the copied pixel, and the correlation less its standard error; the best first."""
    # Pixels of the source are no further apart than its bounding box is large.
    (box,) = find_objects(source.astype(np.uint8))
    source, texture = source[box], texture[box]
    size = tuple(next_fast_len(2 * length, real=True) for length in source.shape)
    values = np.where(source, texture, 0).astype(np.float64)
    counted, sums, squares = (rfft2(plane, size) for plane in (source.astype(float), values, values**2))
    pairs = irfft2(counted * counted.conj(), size)
    products = irfft2(sums * sums.conj(), size)
    energies = irfft2(squares * counted.conj(), size)
    # The energies of the other pixels of the pairs are those at the opposite offset.
    energies *= np.roll(energies[::-1, ::-1], 1, axis=(0, 1))
    correlation = products / np.sqrt(energies.clip(1e-12)) - np.sqrt(_GRAIN / pairs.clip(1))
    down, right = (np.fft.fftfreq(length, 1 / length).round().astype(int) for length in size)
    near = (np.abs(down)[:, None] < _LEAST_OFFSET) & (np.abs(right) < _LEAST_OFFSET)
    rows, columns = np.nonzero(~near & (pairs >= _LEAST_PIXELS) & (correlation >= _LEAST_CORRELATION))
    found = correlation[rows, columns]
    for index in np.argsort(-found, kind="stable")[:_OFFSETS]:
        yield int(down[rows[index]]), int(right[columns[index]]), float(found[index])

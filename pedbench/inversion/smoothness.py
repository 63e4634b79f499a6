"""Statistics of natural pictures: little total variation, and amplitudes that fall with the frequency."""

from __future__ import annotations

import torch
from torch import Tensor

_CORNER = 1e-6
"""Offset of the squared gradient that makes total variation differentiable."""


def total_variation(picture: Tensor) -> Tensor:
    """Return the mean length of the gradient of a (3, H, W) picture, all channels together."""
    down = picture[:, 1:, :-1] - picture[:, :-1, :-1]
    right = picture[:, :-1, 1:] - picture[:, :-1, :-1]
    lengths: Tensor = (down.square() + right.square()).sum(dim=0).add(_CORNER).sqrt()
    return lengths.mean()


def usual_spectrum(height: int, width: int) -> Tensor:
    """Return amplitudes (height, width // 2 + 1) of mean 1 that fall with the frequency."""
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequencies = (rows.square() + columns.square()).sqrt().clamp(min=1 / max(height, width))
    amplitudes: Tensor = 1 / frequencies
    return amplitudes / amplitudes.mean()

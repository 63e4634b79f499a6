"""Pixels from encoder tokens of any depth: the picture whose tokens, by the public weights, are the received ones.

Source: He, Zhang and Lee, Model Inversion Attacks Against Collaborative Inference, ACSAC 2019, section 4
    (regularised maximum likelihood estimation); the pixels are optimised by their spectrum as in Olah,
    Mordvintsev and Schubert, Feature Visualization, Distill 2017.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn

from pedbench.inversion.token_reader import TokenReader
from pedbench.types import Mask, Picture, View

RATE = 0.03
"""Adam's learning rate at the start; it falls to 0 as a cosine does."""

SMOOTHNESS = (10.0, 0.1)
"""Weight of the total variation at the start and at the end.

Deep tokens have many pictures that explain them nearly as well. Going from smooth ones to detailed ones finds
the likely ones among them.
"""

_CORNER = 1e-6
"""Squared gradient below which total variation is rounded off."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Tokens that the picture looked for should have.

    Attributes:
        depth: Blocks that they went through; 0 means behind the patch embedding, without positions.
        rows, columns: (n,) where they are in the encoder's grid.
        values: (n, C).
        variance: Mean over channels of the values' variance over tokens.
    """

    depth: int
    rows: Tensor
    columns: Tensor
    values: Tensor
    variance: Tensor


def targets(view: View, reader: TokenReader, device: str = "cpu") -> list[Target]:
    """A view's tokens as targets, the position embedding taken off those behind the patch embedding."""
    found = []
    for held in view.tokens:
        values = held.values
        if held.depth == 0:
            values = reader.centred(values.astype(np.float64), held.positions).astype(np.float32)
        rows, columns = torch.tensor(held.positions.T.copy(), device=device)
        tensor = torch.tensor(values, device=device)
        variance = tensor.var(dim=0, correction=0).mean().clamp(min=1e-12)
        found.append(Target(depth=held.depth, rows=rows, columns=columns, values=tensor, variance=variance))
    return found


def first_guess(view: View, reader: TokenReader) -> Picture:
    """What pixels and the linear MMSE estimate from tokens say; elsewhere the nearest place of which they do.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    read = View(
        frame_size=view.frame_size,
        degraded=(*view.degraded, *reader.patches(view, view.tokens, "linear_mmse")),
        prior=view.prior,
    )
    estimate, held = read.degraded_canvas()
    picture = np.where(seen[..., None], canvas, estimate)
    known = seen | held
    if not known.any():
        return np.tile(view.prior.mean_colour, (*view.frame_size, 1)).astype(np.float32)
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    nearest: Picture = picture[rows, columns]
    return nearest


def token_grids(network: Any, picture: Tensor, depths: Collection[int]) -> dict[int, Tensor]:
    """The tokens of a picture at some depths, differentiable.

    Args:
        network: A `segment_anything.modeling.Sam`.
        picture: (3, H, W), in [0, 1] or near.
        depths: 0 means behind the patch embedding, without positions.

    Returns:
        (h, w, C) by depth.
    """
    encoder = network.image_encoder
    normalised = (picture * 255 - network.pixel_mean) / network.pixel_std
    room = (0, encoder.img_size - picture.shape[2], 0, encoder.img_size - picture.shape[1])
    tokens = encoder.patch_embed(nn.functional.pad(normalised, room)[None])
    grids = {0: tokens[0]}
    tokens = tokens + encoder.pos_embed
    for depth in range(1, max(depths) + 1):
        tokens = encoder.blocks[depth - 1](tokens)
        grids[depth] = tokens[0]
    return {depth: grids[depth] for depth in depths}


def total_variation(picture: Tensor) -> Tensor:
    """Mean length of the gradient of a (3, H, W) picture, all channels together."""
    down = picture[:, 1:, :-1] - picture[:, :-1, :-1]
    right = picture[:, :-1, 1:] - picture[:, :-1, :-1]
    lengths: Tensor = (down.square() + right.square()).sum(dim=0).add(_CORNER).sqrt()
    return lengths.mean()


def optimise(
    network: Any,
    wanted: Sequence[Target],
    start: Picture,
    steps: int,
    *,
    fixed: Mask | None = None,
    smoothness: tuple[float, float] = SMOOTHNESS,
) -> Picture:
    """Find the picture whose tokens come nearest to the wanted ones, among smooth ones.

    Minimised by Adam: the squared distance of the tokens over their variance, plus the total variation, whose
    weight falls geometrically. Optimised is the change of the spectrum, each frequency scaled by how much of it
    pictures usually hold (1/f), so that coarse structure comes first.

    Args:
        network: A `segment_anything.modeling.Sam` with frozen parameters.
        wanted: What is known of the picture's tokens.
        start: (H, W, 3) in [0, 1].
        steps: Of the optimisation.
        fixed: (H, W) pixels that are known and stay.
        smoothness: Weight of the total variation at the start and at the end.

    Returns:
        (H, W, 3) in [0, 1].
    """
    device = network.pixel_mean.device
    origin = torch.tensor(start, device=device).permute(2, 0, 1)
    free = torch.ones(start.shape[:2], dtype=torch.bool, device=device)
    if fixed is not None:
        free = torch.tensor(~fixed, device=device)
    scale = _usual_spectrum(start.shape[0], start.shape[1]).to(device)
    change = torch.zeros(3, *scale.shape, 2, device=device, requires_grad=True)

    def picture() -> Tensor:
        spectrum = torch.view_as_complex(change) * scale
        changed: Tensor = origin + free * torch.fft.irfft2(spectrum, s=start.shape[:2], norm="ortho")
        return changed

    optimiser = torch.optim.Adam([change], lr=RATE)
    depths = {target.depth for target in wanted}
    for step in range(steps):
        done = step / max(steps - 1, 1)
        optimiser.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
        weight = smoothness[0] * (smoothness[1] / smoothness[0]) ** done
        guess = picture()
        grids = token_grids(network, guess, depths)
        misfit = sum(
            (grids[target.depth][target.rows, target.columns] - target.values).square().mean()
            / target.variance
            for target in wanted
        )
        beyond = (guess - guess.clamp(0, 1)).square().mean()
        optimiser.zero_grad()
        (misfit / len(wanted) + weight * total_variation(guess) + beyond).backward()
        optimiser.step()
    with torch.no_grad():
        found: Picture = picture().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(found)


def _usual_spectrum(height: int, width: int) -> Tensor:
    """(height, width // 2 + 1) amplitudes that fall with the frequency, of mean 1."""
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequencies = (rows.square() + columns.square()).sqrt().clamp(min=1 / max(height, width))
    amplitudes: Tensor = 1 / frequencies
    return amplitudes / amplitudes.mean()

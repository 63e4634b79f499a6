"""Inversion of encoder tokens of any depth: optimises a picture until its tokens match the received ones.

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
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pedbench.inversion.read_out import LEAST, nearest_known
from pedbench.inversion.smoothness import total_variation, usual_spectrum
from pedbench.inversion.token_reader import TokenReader
from pedbench.types import Mask, Picture, View

RATE = 0.05
"""Adam's initial learning rate; it falls to 0 along a cosine."""

SMOOTH = 5.0
"""Initial weight of the total variation.

Many pictures explain deep tokens nearly equally well. Going from smooth to detailed pictures finds likely ones.
"""

DETAILED = 0.05
"""Final weight of the total variation if tokens belong to the hidden places."""

MIXED = 3.0
"""Final weight if they do not: attention carries only coarse information from elsewhere."""

NOISY = 8.0
"""Final weight per unit of the tokens' noise, relative to their variance."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Tokens that the picture should have.

    Attributes:
        depth: Blocks that they passed; 0 is after the patch embedding, without positions.
        rows, columns: (n,) places in the encoder's grid.
        values: (n, C).
        variance: Mean over channels of the values' variance over tokens.
        noise: Estimated variance of the values' noise, relative to `variance`; only for depth 0.
    """

    depth: int
    rows: Tensor
    columns: Tensor
    values: Tensor
    variance: float
    noise: float = 0.0


def targets(view: View, reader: TokenReader, device: torch.device) -> list[Target]:
    """Return a view's tokens as targets; tokens of depth 0 without their position embedding."""
    found = []
    for group in view.tokens:
        values, noise = group.values.astype(np.float64), 0.0
        if group.depth == 0:
            values = reader.centred(values, group.positions)
            noise = reader.expected.noise(values)
        rows, columns = torch.tensor(group.positions.T.copy(), device=device)
        variance = max(float(values.var(axis=0).mean()), 1e-12)
        found.append(
            Target(
                depth=group.depth,
                rows=rows,
                columns=columns,
                values=torch.tensor(values, dtype=torch.float32, device=device),
                variance=variance,
                noise=noise / variance,
            )
        )
    return found


def first_guess(view: View, reader: TokenReader) -> Picture:
    """Return seen pixels, else the linear MMSE estimate from tokens, else the nearest known colour.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    read = View(
        frame_size=view.frame_size,
        degraded=(*view.degraded, *(patch for patch, _ in reader.read(view, view.tokens, "linear_mmse"))),
        prior=view.prior,
    )
    estimate, covered = read.degraded_canvas()
    picture = np.where(seen[..., None], canvas, estimate)
    return nearest_known(picture, seen | covered, view.prior.mean_colour)


def invert(
    network: Any,
    view: View,
    reader: TokenReader,
    steps: int,
    *,
    start: Picture | None = None,
    rate: float = RATE,
    smooth: float = SMOOTH,
) -> Picture:
    """Find a picture with a view's pixels and tokens.

    Args:
        network: The `segment_anything.modeling.Sam` that made the tokens, its parameters frozen.
        view: View with tokens.
        reader: Reader of the same network.
        steps: Steps of the optimisation.
        start: Initial picture (H, W, 3) in [0, 1]; `first_guess` by default. Seen pixels are pasted.
        rate, smooth: Initial learning rate, and initial weight of the total variation.

    Returns:
        (H, W, 3) in [0, 1].
    """
    canvas, seen = view.canvas()
    start = np.where(seen[..., None], canvas, first_guess(view, reader) if start is None else start)
    received = targets(view, reader, network.pixel_mean.device)
    detail = max(_detail(target, seen, reader.embedding.side) for target in received)
    return optimise(network, received, start, steps, fixed=seen, detail=detail, rate=rate, smooth=smooth)


def explained(network: Any, view: View, reader: TokenReader, picture: Picture) -> npt.NDArray[np.float32]:
    """Return the share of each received token's variance that a picture explains, at the token's pixels.

    Args:
        network: The `segment_anything.modeling.Sam` that made the tokens.
        view: View with tokens.
        reader: Reader of the same network.
        picture: (H, W, 3) in [0, 1].

    Returns:
        (H, W) in [`LEAST`, 1]; `LEAST` where no token was received.
    """
    shares, side = np.full(view.frame_size, LEAST, np.float32), reader.embedding.side
    received = targets(view, reader, network.pixel_mean.device)
    pixels = torch.tensor(picture, device=network.pixel_mean.device).permute(2, 0, 1)
    with torch.no_grad():
        grids = token_grids(network, pixels, {target.depth for target in received})
    for target in received:
        misfits = (grids[target.depth][target.rows, target.columns] - target.values).square().mean(dim=1)
        share = (1 - misfits / target.variance).clamp(LEAST, 1)
        arrays = (each.cpu().numpy() for each in (target.rows, target.columns, share))
        for row, column, value in zip(*arrays, strict=True):
            shares[row * side : (row + 1) * side, column * side : (column + 1) * side] = value
    return shares


def _detail(target: Target, seen: Mask, side: int) -> float:
    """Return the final weight of the total variation for some tokens."""
    corners = torch.stack([target.rows, target.columns], dim=1).cpu().numpy() * side
    inside = corners[(corners < seen.shape).all(axis=1)]
    elsewhere = seen[inside[:, 0], inside[:, 1]].all()
    return MIXED if elsewhere else max(DETAILED, NOISY * target.noise)


def token_grids(network: Any, picture: Tensor, depths: Collection[int]) -> dict[int, Tensor]:
    """Compute the tokens of a picture at some depths, differentiable.

    Args:
        network: A `segment_anything.modeling.Sam`.
        picture: (3, H, W), roughly in [0, 1].
        depths: Numbers of blocks; 0 is after the patch embedding, without positions.

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


def optimise(
    network: Any,
    targets: Sequence[Target],
    start: Picture,
    steps: int,
    *,
    fixed: Mask,
    detail: float,
    rate: float = RATE,
    smooth: float = SMOOTH,
) -> Picture:
    """Find a smooth picture whose tokens are closest to the targets.

    Adam minimises the squared distance of the tokens, relative to their variance, plus the total variation, whose
    weight falls geometrically. The unknown is the change of the spectrum, each frequency scaled by its usual
    amplitude (1/f), so that coarse structure comes first.

    Args:
        network: A `segment_anything.modeling.Sam` with frozen parameters.
        targets: Known tokens of the picture.
        start: Initial picture (H, W, 3) in [0, 1].
        steps: Steps of the optimisation.
        fixed: (H, W) known pixels, which stay unchanged.
        detail: Final weight of the total variation.
        rate: Initial learning rate; it falls to 0 along a cosine.
        smooth: Initial weight of the total variation.

    Returns:
        (H, W, 3) in [0, 1].
    """
    device = network.pixel_mean.device
    origin = torch.tensor(start, device=device).permute(2, 0, 1)
    free = torch.tensor(~fixed, device=device)
    scale = usual_spectrum(start.shape[0], start.shape[1]).to(device)
    change = torch.zeros(3, *scale.shape, 2, device=device, requires_grad=True)

    def picture() -> Tensor:
        spectrum = torch.view_as_complex(change) * scale
        changed: Tensor = origin + free * torch.fft.irfft2(spectrum, s=start.shape[:2], norm="ortho")
        return changed

    optimiser = torch.optim.Adam([change], lr=rate)
    depths = {target.depth for target in targets}
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
        weight = smooth * (detail / smooth) ** (step / steps)
        guess = picture()
        grids = token_grids(network, guess, depths)
        misfit = sum(
            (grids[target.depth][target.rows, target.columns] - target.values).square().mean()
            / target.variance
            for target in targets
        )
        overflow = (guess - guess.clamp(0, 1)).square().mean()
        optimiser.zero_grad()
        (misfit / len(targets) + weight * total_variation(guess) + overflow).backward()
        optimiser.step()
    with torch.no_grad():
        result: Picture = picture().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(result)

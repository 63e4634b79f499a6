"""Completion by a masked autoencoder (ViTMAE): patches over a frame, mask, and predictions as pixels.

Source: He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, arXiv:2111.06377.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pedbench.host.device import in_batches
from pedbench.inversion.read_out import fill_with_nearest, reading
from pedbench.inversion.resizing import resize
from pedbench.models.attackers.vitmae import MaskedAutoencoder, fit_positions, patches_per_window
from pedbench.models.sam.family import described_family
from pedbench.types import Mask, Picture, View

_BATCH = 8
"""Frames in a batch on a CPU."""

_VARIANCE = 1e-6
"""Offset of a patch's variance in normalised-pixel targets."""


@dataclass(frozen=True, kw_only=True)
class PatchLayout:
    """Position of an autoencoder's patches over a frame.

    The frame lies in the top left corner of a square canvas, as in SAM; patches may begin between two of its
    pixels.

    Attributes:
        canvas: Side of the canvas in pixels of the frame.
        count: Patches along a side.
        patch: Side of a patch in the autoencoder's pixels.
    """

    canvas: int
    count: int
    patch: int

    @property
    def side(self) -> int:
        """Side of the autoencoder's picture in its pixels."""
        return self.count * self.patch

    def kept(self, seen: Mask) -> Mask:
        """Return the patches that are entirely seen; patches that extend beyond the frame are not.

        Args:
            seen: (H, W) of the frame.

        Returns:
            (count, count).
        """
        canvas = np.zeros((self.canvas, self.canvas), np.int64)
        canvas[: seen.shape[0], : seen.shape[1]] = seen
        sums = np.pad(canvas.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        index = np.arange(self.count)
        first, last = index * self.canvas // self.count, -(-(index + 1) * self.canvas // self.count)
        counts = (
            sums[np.ix_(last, last)]
            - sums[np.ix_(first, last)]
            - sums[np.ix_(last, first)]
            + sums[np.ix_(first, first)]
        )
        areas = np.multiply.outer(last - first, last - first)
        kept: Mask = counts == areas
        return kept

    def shrink(self, view: View) -> Tensor:
        """Return the view's pixels as the autoencoder's picture, (3, side, side) in [0, 1].

        Hidden pixels take the nearest seen one's colour, so that they do not distort patches at the border.
        """
        picture = fill_with_nearest(view)
        padding = [(0, self.canvas - length) for length in picture.shape[:2]]
        canvas = np.pad(picture, (*padding, (0, 0)), mode="edge")
        return resize(torch.from_numpy(canvas).permute(2, 0, 1), (self.side, self.side))

    def on_frame(self, picture: Tensor, frame_size: tuple[int, int]) -> Tensor:
        """Return the frame's part (3, H, W) of the autoencoder's picture."""
        return resize(picture, (self.canvas, self.canvas))[:, : frame_size[0], : frame_size[1]]


def layout(view: View, native: int, patch: int, window_patches: int = 0) -> PatchLayout:
    """Lay patches over a view's frame such that every window of the encoder is a whole number of them.

    If the view names no family of networks, the windows are unknown: the frame's longest side becomes the
    autoencoder's.

    Args:
        view: The view, for its frame and windows.
        native: Side in pixels of the autoencoder's training pictures.
        patch: Side of its patches in pixels.
        window_patches: Patches along a window's side; 0 for the number nearest to `native`.

    Raises:
        ValueError: The grid of windows is not square.
    """
    if "family" not in view.description:
        return PatchLayout(canvas=max(view.frame_size), count=native // patch, patch=patch)
    grid = described_family(view.description).original.architecture.grid
    if grid.rows != grid.columns:
        raise ValueError(f"expected as many rows as columns of windows, found {grid.rows}x{grid.columns}")
    each = window_patches or patches_per_window(grid, native, patch)
    return PatchLayout(canvas=grid.rows * grid.window * grid.patch, count=grid.rows * each, patch=patch)


def patchify(pictures: Tensor, patch: int) -> Tensor:
    """Cut pictures (B, 3, S, S) into (B, L, patch * patch * 3): row by row, each as rows, columns, channels."""
    count = pictures.shape[2] // patch
    split = pictures.reshape(-1, 3, count, patch, count, patch)
    return split.permute(0, 2, 4, 3, 5, 1).reshape(-1, count * count, patch * patch * 3)


def unpatchify(patches: Tensor, patch: int) -> Tensor:
    """Invert `patchify`."""
    count = round(patches.shape[1] ** 0.5)
    split = patches.reshape(-1, count, count, patch, patch, 3).permute(0, 5, 1, 3, 2, 4)
    return split.reshape(-1, 3, count * patch, count * patch)


def predict_patches(network: Any, pictures: Tensor, kept: Tensor) -> Tensor:
    """Predict all patches from some with a ViTMAE.

    Args:
        network: A `ViTMAEForPreTraining` for L patches, in evaluation mode.
        pictures: (B, 3, S, S), normalised; other patches than the kept ones have no influence.
        kept: (B, L) bool; the same number in each row, at least 1 and less than L.

    Returns:
        (B, L, patch * patch * 3), normalised like the network's targets.

    Raises:
        ValueError: The numbers of kept patches differ, or are out of range.
        RuntimeError: The network kept other patches.
    """
    length, counts = kept.shape[1], kept.sum(dim=1)
    k = int(counts[0])
    if not (counts == k).all() or not 0 < k < length:
        raise ValueError(
            f"expected the same number of kept patches, 1 to {length - 1}, found {counts.tolist()}"
        )
    # The network keeps the int(L * (1 - ratio)) patches with the least noise. Without the half patch, rounding
    # would lose one for many k.
    network.vit.embeddings.config.mask_ratio = 1 - (k + 0.5) / length
    noise = torch.where(kept, 0, length) + torch.arange(length, device=kept.device)
    with torch.inference_mode():
        output = network(pictures, noise=noise.float())
    if not torch.equal(output.mask == 0, kept):
        raise RuntimeError(
            f"the network kept {(output.mask == 0).sum(dim=1).tolist()} patches instead of {k}"
        )
    predicted: Tensor = output.logits
    return predicted


def neighbour_statistics(patches: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate mean and variance of each patch from the kept ones, weighted by inverse squared distance.

    Args:
        patches: (L, n) normalised pixels; only kept patches have influence.
        kept: (L,) bool.

    Returns:
        Mean and variance, (L, 1) each.
    """
    count = round(len(patches) ** 0.5)
    places = torch.stack([torch.arange(len(patches)) // count, torch.arange(len(patches)) % count], 1).float()
    squares = torch.cdist(places, places[kept.cpu()]).square().clamp(min=1e-6).to(patches.device)
    weights = 1 / squares
    weights = weights / weights.sum(dim=1, keepdim=True)
    known = patches[kept]
    return weights @ known.mean(dim=1, keepdim=True), weights @ known.var(dim=1, keepdim=True)


def denormalise_patches(predicted: Tensor, patches: Tensor, kept: Tensor) -> Tensor:
    """Scale predictions (L, n) of normalised-pixel weights by the statistics of kept patches."""
    mean, variance = neighbour_statistics(patches, kept)
    return predicted * (variance + _VARIANCE).sqrt() + mean


def complete_frames(
    model: MaskedAutoencoder, views: Sequence[View], window_patches: int = 0
) -> list[Picture]:
    """Complete frames, in batches of those with the same number of seen patches.

    If no patch is entirely seen, hidden pixels take the mean colour.

    Args:
        model: The autoencoder.
        views: Views of the frames.
        window_patches: See `layout`.

    Returns:
        (H, W, 3) in [0, 1] each, the received pixels pasted.
    """
    guesses = [reading(replace(view, degraded=())).filled(view.prior.mean_colour) for view in views]
    groups: dict[tuple[PatchLayout, int], list[tuple[int, Mask]]] = defaultdict(list)
    for index, view in enumerate(views):
        over, seen = layout(view, model.side, model.patch, window_patches), view.canvas()[1]
        kept = over.kept(seen)
        if kept.any() and not seen.all():
            groups[over, int(kept.sum())].append((index, kept))
    for (over, _), group in groups.items():

        def together(part: Sequence[tuple[int, Mask]], over: PatchLayout = over) -> list[Picture]:
            return _complete(model, [views[index] for index, _ in part], over, [kept for _, kept in part])

        found = in_batches(together, group, model.device, _BATCH)
        for (index, _), guess in zip(group, found, strict=True):
            guesses[index] = guess
    return guesses


def _complete(
    model: MaskedAutoencoder, views: Sequence[View], over: PatchLayout, kept: Sequence[Mask]
) -> list[Picture]:
    """Complete frames with the same number of `kept` patches, (count, count) each; see `complete_frames`."""
    network = fit_positions(model.network, over.count)
    small = torch.stack([over.shrink(view) for view in views]).to(model.device)
    masks = torch.from_numpy(np.stack(kept)).flatten(1).to(model.device)
    normalised = (small - model.mean) / model.deviation
    predicted = predict_patches(network, normalised, masks)
    if model.normalised_targets:
        rows = zip(predicted, patchify(normalised, over.patch), masks, strict=True)
        predicted = torch.stack([denormalise_patches(*each) for each in rows])
    pixels = unpatchify(predicted, over.patch) * model.deviation + model.mean
    shown = masks.reshape(-1, 1, over.count, over.count)
    shown = shown.repeat_interleave(over.patch, 2).repeat_interleave(over.patch, 3)
    together = torch.where(shown, small, pixels.clamp(0, 1)).cpu()
    guesses = []
    for view, picture in zip(views, together, strict=True):
        canvas, seen = view.canvas()
        guess = over.on_frame(picture, view.frame_size).permute(1, 2, 0).numpy()
        guesses.append(np.where(seen[..., None], canvas, guess))
    return guesses

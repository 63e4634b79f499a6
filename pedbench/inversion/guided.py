"""Token inversion guided by a masked autoencoder: completions of the hidden part that match the received tokens.

Sources: He, Zhang and Lee, Model Inversion Attacks Against Collaborative Inference, ACSAC 2019 (optimise a picture to
    match tokens); Lei et al., DRAG, ICML 2025 (guidance by a generative model of pictures); Bora et al., Compressed
    Sensing using Generative Models, ICML 2017 (its inputs as the unknowns).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pedbench.inversion.masked_autoencoder import PatchLayout, complete_frames, layout, unpatchify
from pedbench.inversion.smoothness import usual_spectrum
from pedbench.inversion.token_decoding import network_of
from pedbench.inversion.token_optimisation import Target
from pedbench.models.attackers.vitmae import MaskedAutoencoder, fit_positions
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.stages import run_blocks, window_grid
from pedbench.models.sam.window_blocks import add_positions, run_window_blocks, window_runs
from pedbench.types import Mask, Picture, View

TOLERATED = 0.2
"""Squared misfit of tokens, relative to the usual one, that weighs as much as a usual change of one unknown."""

CODE = 0.1
"""Usual change of an input of the autoencoder's decoder, relative to the inputs' standard deviation."""

PIXEL = 0.02
"""Usual deviation of a pixel, in [0, 1], from the pictures that the decoder can make."""

DRAWS = 16
"""Random changes of the unknowns for estimating the usual changes of tokens."""

LEAST = 1e-3
"""Regularisation of the variance of each direction of the channels, relative to their mean."""

HISTORY = 50
"""History size of L-BFGS."""


def guided(model: MaskedAutoencoder, view: View, evaluations: int) -> Picture:
    """Complete a frame such that its mixed tokens match the received ones.

    Only tokens that passed a global block tell about windows whose pixels are hidden. Without such tokens, or if all or
    no pixels are seen, this is plain completion.

    Args:
        model: The autoencoder.
        view: Pixels and tokens of some windows.
        evaluations: Maximum evaluations of the encoder and its gradient.

    Returns:
        (H, W, 3) in [0, 1], the received pixels pasted.
    """
    canvas, seen = view.canvas()
    over = layout(view, model.side, model.patch)
    kept = over.kept(seen)
    if not kept.any() or seen.all() or not view.tokens:
        return complete_frames(model, [view])[0]
    network = network_of(view, model.device)
    targets = _mixed(view, window_runs(network.image_encoder)[0][1], network.pixel_mean.device)
    if not targets:
        return complete_frames(model, [view])[0]
    pictures = _Completions(model, view, over, kept)
    encode = WindowEncoder(network, pictures.origin, seen)
    unknown = [torch.zeros(shape, device=model.device, requires_grad=True) for shape in pictures.shapes]
    scales = _scales(targets, encode, pictures)

    def cost() -> Tensor:
        grids = encode(pictures(*unknown), scales)
        misfit: Any = sum(
            ((grids[target.depth][target.rows, target.columns] - target.values) @ scales[target.depth])
            .square()
            .sum()
            for target in targets
        )
        value: Tensor = misfit / TOLERATED + sum(change.square().sum() for change in unknown)
        return value

    _minimise(cost, unknown, evaluations)
    with torch.no_grad():
        picture = pictures(*unknown).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return np.where(seen[..., None], canvas, picture).astype(np.float32)


def _scales(targets: Sequence[Target], encode: WindowEncoder, pictures: _Completions) -> dict[int, Tensor]:
    """Return whitening matrices (C, C) of token changes by depth.

    Guesses are blurred as a whole, which shifts all tokens in a few directions. Unless these directions weigh less, the
    optimisation explains them by wrong colours.
    """
    rng = torch.Generator().manual_seed(0)
    device = pictures.origin.device
    depths = {target.depth for target in targets}
    changes: dict[int, list[Tensor]] = {depth: [] for depth in depths}
    with torch.no_grad():
        usual = encode(pictures(*(torch.zeros(shape, device=device) for shape in pictures.shapes)), depths)
        for _ in range(DRAWS):
            noise = [torch.randn(shape, generator=rng).to(device) for shape in pictures.shapes]
            for depth, grid in encode(pictures(*noise), depths).items():
                changes[depth] += [
                    (grid - usual[depth])[t.rows, t.columns] for t in targets if t.depth == depth
                ]
        for target in targets:
            changes[target.depth].append(target.values - usual[target.depth][target.rows, target.columns])
    return {depth: _whitening(torch.cat(stacked)) for depth, stacked in changes.items()}


def _whitening(changes: Tensor) -> Tensor:
    """Return the inverse root (C, C) of the second moments of (n, C) changes."""
    # Apple's accelerators lack double precision.
    moments = (changes.T @ changes).cpu().double() / len(changes)
    variances, directions = torch.linalg.eigh(moments)
    roots = (variances.clamp(min=0) + LEAST * variances.mean()).sqrt()
    root: Tensor = (directions / roots) @ directions.T
    return root.float().to(changes.device)


def _minimise(cost: Callable[[], Tensor], unknown: Sequence[Tensor], evaluations: int) -> None:
    optimiser = torch.optim.LBFGS(
        unknown,
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=HISTORY,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def evaluate() -> Tensor:
        optimiser.zero_grad()
        value = cost()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(evaluate)  # type: ignore[no-untyped-call]


def _mixed(view: View, first: int, device: torch.device) -> list[Target]:
    """Return a view's tokens that passed more than the `first` blocks."""
    targets = []
    for group in view.tokens:
        if group.depth > first:
            rows, columns = torch.tensor(group.positions.T.copy(), device=device)
            values = torch.tensor(group.values, dtype=torch.float32, device=device)
            targets.append(Target(depth=group.depth, rows=rows, columns=columns, values=values, variance=1.0))
    return targets


class _Completions:
    """Completions of a view, as a function of changes of the decoder's inputs and of a residual."""

    def __init__(self, model: MaskedAutoencoder, view: View, over: PatchLayout, kept: Mask) -> None:
        self._model, self._over = model, over
        self._network = fit_positions(model.network, over.count)
        canvas, seen = view.canvas()
        self._seen = torch.from_numpy(seen).to(model.device)
        self.origin = torch.from_numpy(canvas).permute(2, 0, 1).contiguous().to(model.device)
        pixels = (over.shrink(view)[None].to(model.device) - model.mean) / model.deviation
        self._codes = _codes(self._network, pixels, torch.from_numpy(kept).flatten()[None].to(model.device))
        self._usual = CODE * self._codes[0].std(dim=0)
        self._spectrum = PIXEL * usual_spectrum(*view.frame_size).to(model.device)
        self.shapes = (self._codes.shape, (3, *self._spectrum.shape, 2))

    def __call__(self, codes: Tensor, rest: Tensor) -> Tensor:
        """Return the completion (3, H, W), roughly in [0, 1]."""
        predicted = _decode(self._network, self._codes + self._usual * codes)
        pixels = unpatchify(predicted, self._over.patch)[0] * self._model.deviation + self._model.mean
        frame = (self.origin.shape[1], self.origin.shape[2])
        picture = self._over.on_frame(pixels, frame)
        spectrum = torch.view_as_complex(rest) * self._spectrum
        changed = picture + torch.fft.irfft2(spectrum, s=frame, norm="ortho")
        return torch.where(self._seen, self.origin, changed)


def _codes(network: Any, pixels: Tensor, kept: Tensor) -> Tensor:
    """Return the inputs (1, 1 + L, D) of a ViTMAE's decoder, positions included."""
    network.vit.embeddings.config.mask_ratio = 1 - (int(kept.sum()) + 0.5) / kept.shape[1]
    noise = torch.where(kept, 0, kept.shape[1]) + torch.arange(kept.shape[1], device=kept.device)
    decoder = network.decoder
    with torch.no_grad():
        encoded = network.vit(pixels, noise=noise.float())
        states = decoder.decoder_embed(encoded.last_hidden_state)
        missing = kept.shape[1] + 1 - states.shape[1]
        patches = torch.cat([states[:, 1:], decoder.mask_token.expand(1, missing, -1)], dim=1)
        order = encoded.ids_restore[..., None].expand(-1, -1, states.shape[2])
        ordered = torch.cat([states[:, :1], patches.gather(1, order)], dim=1)
        codes: Tensor = ordered + decoder.decoder_pos_embed
    return codes


def _decode(network: Any, codes: Tensor) -> Tensor:
    """Decode the result of `_codes` to (1, L, patch * patch * 3)."""
    decoder = network.decoder
    for layer in decoder.decoder_layers:
        codes = layer(codes)
    predicted: Tensor = decoder.decoder_pred(decoder.decoder_norm(codes))[:, 1:]
    return predicted


class WindowEncoder:
    """Encoder of pictures that differ only in windows with hidden pixels."""

    def __init__(self, network: Any, origin: Tensor, seen: Mask) -> None:
        self._network, self._encoder = network, network.image_encoder
        self._grid = grid = window_grid(self._encoder)
        self._first = window_runs(self._encoder)[0][1]
        frame = (origin.shape[1], origin.shape[2])
        self._open = [
            window for window in grid.active(frame) if not seen[grid.tile(window, frame).slices].all()
        ]
        self._places = torch.tensor(
            [grid.windows.index(window) for window in self._open], device=origin.device
        )
        with torch.no_grad():
            tokens = self._encoder.patch_embed(preprocess(network, origin.permute(1, 2, 0).cpu().numpy()))
            self._known = grid.partition(
                run_blocks(self._encoder, tokens + self._encoder.pos_embed, 0, self._first)
            )

    def __call__(self, picture: Tensor, depths: Collection[int]) -> dict[int, Tensor]:
        """Return the tokens (h, w, C) by depth."""
        side = self._grid.window * self._grid.patch
        normalised = (picture * 255 - self._network.pixel_mean) / self._network.pixel_std
        height, width = (length * self._grid.patch for length in self._grid.padded)
        whole = torch.nn.functional.pad(
            normalised, (0, width - picture.shape[2], 0, height - picture.shape[1])
        )
        tiles = torch.stack(
            [whole[:, r * side : (r + 1) * side, c * side : (c + 1) * side] for r, c in self._open]
        )
        tokens = add_positions(self._encoder, self._encoder.patch_embed(tiles), self._open, self._grid)
        tokens = run_window_blocks(self._encoder, tokens, self._open, self._grid, 0, self._first)
        grid = self._grid.unpartition(self._known.index_copy(0, self._places, tokens))
        grids = {}
        for depth in range(self._first, max(depths)):
            grid = self._encoder.blocks[depth](grid)
            grids[depth + 1] = grid[0]
        return {depth: grids[depth] for depth in depths}

"""Synthetic pictures and views on which plugins are checked."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from pedbench.adversary.isolation.facts import AttackFacts
from pedbench.base import Attack
from pedbench.types import MessageFacts, Patch, Picture, Prior, Tokens, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Weights

WEIGHTS: Weights = "small"
"""Weights of the mini family's network that computes the views' tokens."""


def made_up_picture(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """Return a picture of soft waves and some noise.

    Args:
        size: Height and width in pixels.

    Returns:
        (H, W, 3) float32 in [0, 1], every value a multiple of 1/255.
    """
    rows, columns = np.mgrid[: size[0], : size[1]]
    phase = rng.uniform(0, 6.3, 3)
    waves = 0.5 + 0.3 * np.sin(rows[..., None] / 9 + columns[..., None] / 13 + phase)
    levels = np.rint(np.clip(waves + rng.normal(0, 0.02, waves.shape), 0, 1) * 255)
    picture: Picture = levels.astype(np.float32) / np.float32(255)
    return picture


def make_view(attack: Attack | AttackFacts, frame: Picture, needs: frozenset[str] | None = None) -> View:
    """Return a view of a frame with the contents that an attack needs, once for each of `attack.requests`.

    Args:
        frame: (H, W, 3) float32 in [0, 1].
        needs: Contents of the view; `attack.needs` by default.
    """
    height, width = frame.shape[:2]
    needs = attack.needs if needs is None else needs
    patches: list[Patch] = []
    degraded: list[Patch] = []
    tokens: list[Tokens] = []
    messages: list[MessageFacts] = []
    for request in range(attack.requests):
        if "pixels" in needs:
            for top in (0, height // 2):
                tile = frame[top : top + height // 4, : width // 2].copy()
                patches.append(Patch(picture=tile, top=top, left=0, server=0, request=request))
        if "degraded" in needs:
            coarse = frame[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
            degraded.append(Patch(picture=coarse, top=0, left=0, server=0, request=request))
        if "tokens" in needs:
            tokens.append(_made_up_tokens(frame, request))
        messages.append(
            MessageFacts(
                server=0,
                request=request,
                sequence=0,
                operation="encode_windows",
                bytes_in=9000,
                bytes_out=90000,
                received=0.0,
            )
        )
    prior = Prior(
        mean_colour=np.array([0.4, 0.5, 0.45], np.float32),
        pictures=tuple(made_up_picture(np.random.default_rng(seed), (48, 64)) for seed in range(1, 5)),
    )
    return View(
        frame_size=(height, width),
        patches=tuple(patches),
        degraded=tuple(degraded),
        tokens=tuple(tokens),
        description={"defense": "made up", "version": 1, "params": {"weights": WEIGHTS}, "family": "mini"},
        messages=tuple(messages),
        prior=prior,
    )


def _made_up_tokens(frame: Picture, request: int) -> Tokens:
    """Compute all tokens of a frame after the first block of the smallest network that pedbench ships."""
    import torch

    from pedbench.models.sam.assembly import preprocess
    from pedbench.models.sam.family import MINI
    from pedbench.models.sam.networks import load_network
    from pedbench.models.sam.stages import run_blocks

    network = load_network(MINI, WEIGHTS)
    encoder = network.image_encoder
    with torch.inference_mode():
        embedded = encoder.patch_embed(preprocess(network, frame)) + encoder.pos_embed
        grid = run_blocks(encoder, embedded, 0, 1)[0]
    positions = np.indices(grid.shape[:2]).transpose(1, 2, 0).reshape(-1, 2)
    values = grid.flatten(0, 1).numpy()
    return Tokens(values=values, positions=positions, depth=1, server=0, request=request)


def seed_globals(seed: int) -> None:
    """Seed the global generators of `random`, NumPy and PyTorch."""
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)

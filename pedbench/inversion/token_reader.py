"""Encoder tokens as pictures, with the public weights of the network that made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import numpy.typing as npt

from pedbench.inversion.patch_embedding import (
    LinearEstimator,
    Matrix,
    PatchEmbedding,
    embedding_of,
    patch_statistics,
    pseudo_inverse,
)
from pedbench.types import Patch, Picture, Prior, Tokens, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Family, Weights

Estimator = Literal["linear_mmse", "pseudo_inverse"]


@dataclass(frozen=True, kw_only=True)
class TokenReader:
    """Reads tokens of one network as an attacker with some prior does.

    What the encoder's blocks added to deeper tokens is taken for white noise, whose strength the tokens tell.

    Attributes:
        embedding: The network's patch embedding.
        window: Side of its attention windows in tokens.
        expected: The estimator under the attacker's prior.
    """

    embedding: PatchEmbedding
    window: int
    expected: LinearEstimator

    def centred(self, values: Matrix, positions: npt.NDArray[np.int64]) -> Matrix:
        """Tokens without the position embedding, if they are likelier to carry it than not.

        Args:
            values: (n, C).
            positions: (n, 2), where in the grid they are.
        """
        bare = values - self.embedding.positions[positions[:, 0], positions[:, 1]]
        return min((values, bare), key=self.surprise)

    def surprise(self, values: Matrix) -> float:
        """Negative log likelihood of tokens without position embedding, but for a constant."""
        return float(self.expected.surprise(values, self.expected.noise(values)).sum())

    def pictures(self, values: Matrix, estimator: Estimator) -> list[Picture]:
        """(side, side, 3) pictures in [0, 1] of (n, C) tokens without position embedding."""
        side = self.embedding.side
        if estimator == "pseudo_inverse":
            flat = pseudo_inverse(self.embedding, values)
        else:
            flat = self.expected.patches(values, self.expected.noise(values))
        planes = np.clip(flat, 0, 1).astype(np.float32).reshape(-1, 3, side, side)
        return list(planes.transpose(0, 2, 3, 1))

    def inside(self, view: View, tokens: Sequence[Tokens]) -> tuple[Tokens, ...]:
        """The tokens that hold part of the frame; the canvas, which all have tokens of, may be larger."""
        found = []
        for held in tokens:
            kept = (held.positions * self.embedding.side < view.frame_size).all(axis=1)
            found.append(replace(held, values=held.values[kept], positions=held.positions[kept]))
        return tuple(found)

    def patches(self, view: View, tokens: Sequence[Tokens], estimator: Estimator) -> tuple[Patch, ...]:
        """Tokens as pictures at the places that go with them, cut at the frame."""
        side, (height, width) = self.embedding.side, view.frame_size
        found = []
        for held in self.inside(view, tokens):
            values = self.centred(held.values.astype(np.float64), held.positions)
            corners = (held.positions * side).tolist()
            for picture, (top, left) in zip(self.pictures(values, estimator), corners, strict=True):
                cut = picture[: height - top, : width - left]
                found.append(Patch(picture=cut, top=top, left=left, server=held.server, request=held.request))
        return tuple(found)


_READERS: dict[tuple[int, Family, str], tuple[Prior, TokenReader]] = {}


def token_reader(view: View) -> TokenReader:
    """The reader for the network that a view's description names; kept, as making it takes a moment.

    Raises:
        ValueError: The description names no family of networks.
        CheckpointError: The network's weights are not there.
    """
    from pedbench.models.sam.family import described_family

    weights = str(view.description.get("params", {}).get("weights", "original"))
    # The prior is kept beside its reader, so that its id stays taken.
    key = (id(view.prior), described_family(view.description), weights)
    if key not in _READERS:
        _READERS[key] = view.prior, _make(view.prior, *key[1:])
    return _READERS[key][1]


def _make(prior: Prior, of: Family, weights: str) -> TokenReader:
    from pedbench.models.sam.family import load_network
    from pedbench.models.sam.stages import window_grid

    network = load_network(of, cast("Weights", weights))
    embedding = embedding_of(network)
    statistics = patch_statistics(prior.pictures, embedding.side)
    return TokenReader(
        embedding=embedding,
        window=window_grid(network.image_encoder).window,
        expected=LinearEstimator(embedding, statistics),
    )

"""Conversion of encoder tokens to pictures with the network's public weights."""

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
from pedbench.inversion.read_out import ReadPatch
from pedbench.types import Patch, Picture, Prior, Tokens, View

if TYPE_CHECKING:
    from pedbench.models.sam.family import Family, Weights

Estimator = Literal["linear_mmse", "pseudo_inverse"]

LOST = 0.2
"""Share of the pixels' variance that an estimate loses by each block, as blocks change tokens in no linear way.

Linear MMSE estimates of 3 scenes lose 0.18 after 1 block of the mini family, 0.35 after 2, and 0.86 after 4.
"""


@dataclass(frozen=True, kw_only=True)
class TokenReader:
    """Reader of one network's tokens under an attacker's prior.

    Changes by the encoder's blocks are modelled as white noise, whose strength is estimated from the tokens.

    Attributes:
        embedding: The network's patch embedding.
        window: Side of its attention windows in tokens.
        expected: The estimator under the attacker's prior.
    """

    embedding: PatchEmbedding
    window: int
    expected: LinearEstimator

    def centred(self, values: Matrix, positions: npt.NDArray[np.int64]) -> Matrix:
        """Remove the position embedding from tokens if they probably contain it.

        Args:
            values: (n, C).
            positions: (n, 2) rows and columns in the grid.
        """
        bare = values - self.embedding.positions[positions[:, 0], positions[:, 1]]
        return min((values, bare), key=self.surprise)

    def surprise(self, values: Matrix) -> float:
        """Return the negative log likelihood of tokens without position embedding, up to a constant."""
        return float(self.expected.surprise(values, self.expected.noise(values)).sum())

    def pictures(self, values: Matrix, estimator: Estimator) -> list[Picture]:
        """Estimate pictures (side, side, 3) in [0, 1] from tokens (n, C) without position embedding."""
        side = self.embedding.side
        if estimator == "pseudo_inverse":
            flat = pseudo_inverse(self.embedding, values)
        else:
            flat = self.expected.patches(values, self.expected.noise(values))
        planes = np.clip(flat, 0, 1).astype(np.float32).reshape(-1, 3, side, side)
        return list(planes.transpose(0, 2, 3, 1))

    def explained(self, values: Matrix, estimator: Estimator) -> float:
        """Return the share of the pixels' variance that `pictures` is expected to explain, in [0, 1]."""
        noise = self.expected.noise(values)
        if estimator == "pseudo_inverse":
            return self.expected.explained_by_pseudo_inverse(noise)
        return self.expected.explained(noise)

    def inside(self, view: View, tokens: Sequence[Tokens]) -> tuple[Tokens, ...]:
        """Return the tokens within the frame; the canvas may be larger."""
        found = []
        for group in tokens:
            kept = (group.positions * self.embedding.side < view.frame_size).all(axis=1)
            found.append(replace(group, values=group.values[kept], positions=group.positions[kept]))
        return tuple(found)

    def read(self, view: View, tokens: Sequence[Tokens], estimator: Estimator) -> list[ReadPatch]:
        """Convert tokens to patches at their places, cropped to the frame.

        Their confidence is the share of the pixels' variance that the tokens of one message are expected to explain,
        less `LOST` per block.
        """
        side, (height, width) = self.embedding.side, view.frame_size
        found = []
        for group in self.inside(view, tokens):
            if not len(group.values):
                continue
            values = self.centred(group.values.astype(np.float64), group.positions)
            explained = self.explained(values, estimator) - LOST * group.depth
            corners = (group.positions * side).tolist()
            for picture, (top, left) in zip(self.pictures(values, estimator), corners, strict=True):
                cut = picture[: height - top, : width - left]
                patch = Patch(picture=cut, top=top, left=left, server=group.server, request=group.request)
                found.append(ReadPatch(patch, explained))
        return found


_READERS: dict[tuple[int, Family, str], tuple[Prior, TokenReader]] = {}

_MOST_READERS = 4
"""Readers that are kept; each holds some 60 MB, its prior included."""


def token_reader(view: View) -> TokenReader:
    """Return the cached reader for the network that a view's description names.

    Raises:
        ValueError: The description names no family of networks.
        CheckpointError: The network's weights are missing.
    """
    from pedbench.models.sam.family import described_family

    weights = str(view.description.get("params", {}).get("weights", "original"))
    # Keeping the prior in the cache keeps its id unique.
    key = (id(view.prior), described_family(view.description), weights)
    found = _READERS.pop(key, None) or (view.prior, _make(view.prior, *key[1:]))
    _READERS[key] = found
    for oldest in list(_READERS)[:-_MOST_READERS]:
        _READERS.pop(oldest, None)
    return found[1]


def _make(prior: Prior, family: Family, weights: str) -> TokenReader:
    from pedbench.models.sam.networks import load_network
    from pedbench.models.sam.stages import window_grid

    network = load_network(family, cast("Weights", weights))
    embedding = embedding_of(network)
    statistics = patch_statistics(prior.pictures, embedding.side)
    return TokenReader(
        embedding=embedding,
        window=window_grid(network.image_encoder).window,
        expected=LinearEstimator(embedding, statistics),
    )

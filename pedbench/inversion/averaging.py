"""What repeated requests for one scene say together, where each adds noise of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pedbench.types import Patch, Tokens


def average_patches(patches: Iterable[Patch]) -> tuple[Patch, ...]:
    """One patch for all that cover the same rectangle: their mean, under the first one's server and request."""
    groups: dict[tuple[int, ...], list[Patch]] = defaultdict(list)
    for patch in patches:
        groups[patch.top, patch.left, *patch.picture.shape].append(patch)
    return tuple(
        replace(group[0], picture=np.mean([patch.picture for patch in group], axis=0, dtype=np.float32))
        for group in groups.values()
    )


def average_tokens(tokens: Iterable[Tokens]) -> tuple[Tokens, ...]:
    """One group of tokens for each depth, at every position the mean of all that came for it."""
    groups: dict[int, list[Tokens]] = defaultdict(list)
    for held in tokens:
        groups[held.depth].append(held)
    averaged = []
    for group in groups.values():
        places, owner, counts = np.unique(
            np.concatenate([held.positions for held in group]),
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        values = np.concatenate([held.values for held in group]).astype(np.float64)
        sums = np.zeros((len(places), values.shape[1]))
        np.add.at(sums, owner.reshape(-1), values)
        means = (sums / counts[:, None]).astype(np.float32)
        averaged.append(replace(group[0], values=means, positions=places))
    return tuple(averaged)

"""Averaging of repeated requests for one scene, each with independent noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pedbench.types import Patch, Tokens


def average_patches(patches: Iterable[Patch]) -> tuple[Patch, ...]:
    """Average patches of the same rectangle; the mean keeps the first one's server and request."""
    groups: dict[tuple[int, ...], list[Patch]] = defaultdict(list)
    for patch in patches:
        groups[(patch.top, patch.left, *patch.picture.shape)].append(patch)
    return tuple(
        replace(group[0], picture=np.mean([patch.picture for patch in group], axis=0, dtype=np.float32))
        for group in groups.values()
    )


def average_tokens(tokens: Iterable[Tokens]) -> tuple[Tokens, ...]:
    """Average tokens of the same depth and position; return one group per depth."""
    groups: dict[int, list[Tokens]] = defaultdict(list)
    for item in tokens:
        groups[item.depth].append(item)
    averaged = []
    for group in groups.values():
        places, owner, counts = np.unique(
            np.concatenate([item.positions for item in group]),
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        values = np.concatenate([item.values for item in group]).astype(np.float64)
        sums = np.zeros((len(places), values.shape[1]))
        np.add.at(sums, owner.reshape(-1), values)
        means = (sums / counts[:, None]).astype(np.float32)
        averaged.append(replace(group[0], values=means, positions=places))
    return tuple(averaged)

"""Reordering of token windows whose stated places are shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from pedbench.inversion.jigsaw import Order, Place, assemble
from pedbench.inversion.patch_embedding import Matrix
from pedbench.inversion.token_reader import TokenReader
from pedbench.types import Picture, Tokens, View

_ROUNDS = 3
"""Rounds of noise estimation: the first counts position embeddings as noise."""


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The tokens of one window.

    Attributes:
        values: (height * width, C) in reading order.
        stated: Their stated place, in tokens.
    """

    values: Matrix
    stated: Place


def put_in_order(
    view: View, reader: TokenReader, rng: np.random.Generator
) -> tuple[Tokens, npt.NDArray[np.float64]]:
    """Return all tokens of a view at the estimated places of their windows, among the stated places.

    A position embedding in the tokens reveals the places. Otherwise the tokens are converted to pixels, and the
    windows are assembled such that neighbours continue each other.

    Args:
        view: View with the tokens of whole windows, each at a different place. Tokens beyond the frame are
            ignored.
        reader: Reader of the network that made the tokens.
        rng: Random generator of the search.

    Returns:
        The n tokens, and the probability (n,) of each one's place.

    Raises:
        ValueError: A window's tokens fill no rectangle.
    """
    windows = _windows(reader.inside(view, view.tokens), reader.window)
    places = [window.stated for window in windows]
    found = _by_position(windows, places, reader)
    if found is None:
        scaled = [Place(*(length * reader.embedding.side for length in place)) for place in places]
        found = assemble(_pictures(windows, reader), scaled, rng)
    first = view.tokens[0]
    tokens = Tokens(
        values=np.concatenate([window.values for window in windows]).astype(np.float32),
        positions=np.concatenate([_positions(places[index]) for index in found.places]),
        depth=first.depth,
        server=first.server,
        request=first.request,
    )
    return tokens, np.repeat(found.probability, [len(window.values) for window in windows])


def _windows(tokens: Sequence[Tokens], side: int) -> list[_Window]:
    windows = []
    for group in tokens:
        owners = group.positions // side
        for owner in np.unique(owners, axis=0):
            inside = (owners == owner).all(axis=1)
            offsets = group.positions[inside] % side
            order = np.lexsort((offsets[:, 1], offsets[:, 0]))
            height, width = (int(length) + 1 for length in offsets.max(axis=0))
            if height * width != len(order):
                raise ValueError(f"expected whole windows, found {len(order)} tokens of {height}x{width}")
            top, left = (int(corner) * side for corner in owner)
            values = group.values[inside][order].astype(np.float64)
            windows.append(_Window(values=values, stated=Place(top, left, height, width)))
    return windows


def _by_position(windows: Sequence[_Window], places: Sequence[Place], reader: TokenReader) -> Order | None:
    """Return for each window the place whose position embedding fits best; None if tokens have none.

    The probability of a place is that among all places of the window, which are equally likely beforehand.
    """
    table, expected = reader.embedding.positions, reader.expected
    embeddings = []
    for place in places:
        rows, columns = _positions(place).T
        embeddings.append(table[rows, columns])
    together = np.concatenate([window.values for window in windows])
    noise = expected.noise(together)
    for _ in range(_ROUNDS):
        costs = np.full((len(windows), len(places)), np.inf)
        for i, window in enumerate(windows):
            for j, (place, embedded) in enumerate(zip(places, embeddings, strict=True)):
                if window.stated[2:] == place[2:]:
                    costs[i, j] = expected.surprise(window.values - embedded, noise).sum()
        rows, found = linear_sum_assignment(costs)
        bare = np.concatenate(
            [window.values - embeddings[j] for window, j in zip(windows, found, strict=True)]
        )
        noise = expected.noise(bare)
    if reader.surprise(together) <= reader.surprise(bare):
        return None
    probability = softmax(-costs, axis=1)[rows, found]
    return Order(found.tolist(), probability.tolist(), [0] * len(windows))


def _positions(place: Place) -> npt.NDArray[np.int64]:
    """Return rows and columns (n, 2) of a place's tokens, in reading order."""
    rows, columns = np.mgrid[place.top : place.top + place.height, place.left : place.left + place.width]
    return np.stack([rows.ravel(), columns.ravel()], axis=1)


def _pictures(windows: Sequence[_Window], reader: TokenReader) -> list[Picture]:
    """Convert windows to pictures, all together, as more tokens give a better estimate of the noise."""
    pieces = iter(reader.pictures(np.concatenate([window.values for window in windows]), "linear_mmse"))
    pictures = []
    for window in windows:
        rows = [
            np.concatenate([next(pieces) for _ in range(window.stated.width)], axis=1)
            for _ in range(window.stated.height)
        ]
        pictures.append(np.concatenate(rows, axis=0))
    return pictures

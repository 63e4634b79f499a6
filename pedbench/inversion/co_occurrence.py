"""Co-occurrence: guesses of hidden categories from those seen, by counts of what goes together in training scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_STRENGTHS = np.linspace(0, 1, 21)
"""Exponents of the evidence that are tried; naive Bayes at 1 counts related categories twice."""

_PSEUDO = 1.0
"""Views that are added to each count with the overall rate, against probabilities of 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class CoOccurrence:
    """Naive Bayes from seen to hidden categories, its evidence raised to a power.

    Attributes:
        prior: (K,) share of training views in which each category is hidden.
        seen: (K, K) log odds ratio that adds to hidden category k if category j is seen, at [j, k].
        absent: (K, K) the same if it is not seen.
        strength: Exponent of the evidence.

    Source: Oliva and Torralba, The role of context in object recognition, 2007; counts as in Rabinovich et al.,
        Objects in Context, ICCV 2007.
    """

    prior: npt.NDArray[np.float64]
    seen: npt.NDArray[np.float64]
    absent: npt.NDArray[np.float64]
    strength: float

    def __call__(self, seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Return the probability (n, K) that each category is hidden, given those seen, (n, K) bool."""
        evidence = np.where(seen[..., None], self.seen, self.absent).sum(axis=1)
        odds = np.log(self.prior) - np.log1p(-self.prior) + self.strength * evidence
        probabilities: npt.NDArray[np.float64] = 1 / (1 + np.exp(-odds))
        return probabilities


def count_co_occurrence(seen: npt.NDArray[np.bool_], hidden: npt.NDArray[np.bool_]) -> CoOccurrence:
    """Count on training views; the strength is the one that describes views best that were not counted.

    Args:
        seen: (n, K) bool, the categories seen in each view.
        hidden: (n, K) bool, the categories hidden from it.

    Raises:
        ValueError: Fewer than two views.
    """
    if len(seen) < 2:
        raise ValueError(f"expected at least 2 views, found {len(seen)}")
    halves = [np.arange(len(seen)) % 2 == half for half in (0, 1)]
    likelihoods = []
    for strength in _STRENGTHS:
        total = 0.0
        for half in halves:
            guessed = _counted(seen[half], hidden[half], float(strength))(seen[~half])
            total += float(np.log(np.where(hidden[~half], guessed, 1 - guessed)).sum())
        likelihoods.append(total)
    return _counted(seen, hidden, float(_STRENGTHS[int(np.argmax(likelihoods))]))


def _counted(seen: npt.NDArray[np.bool_], hidden: npt.NDArray[np.bool_], strength: float) -> CoOccurrence:
    rate = (seen.sum(axis=0) + 0.5) / (len(seen) + 1)
    given_hidden, given_not = (
        (seen.T.astype(np.float64) @ selected + _PSEUDO * rate[:, None]) / (selected.sum(axis=0) + _PSEUDO)
        for selected in (hidden.astype(np.float64), (~hidden).astype(np.float64))
    )
    return CoOccurrence(
        prior=(hidden.sum(axis=0) + 0.5) / (len(hidden) + 1),
        seen=np.log(given_hidden) - np.log(given_not),
        absent=np.log1p(-given_hidden) - np.log1p(-given_not),
        strength=strength,
    )

"""Distortions of rising strength, and trials of a metric whose right order of candidates is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pedbench.base import Metric
from pedbench.plugins.defenses.gaussian_blur import blur
from pedbench.types import Mask, Picture
from tools.studies.distortion_choices import brighter, compressed, error, shifted, swapped

Distort = Callable[[Picture, float, int], Picture]
"""Function of a picture (H, W, 3) in [0, 1], a strength, and the seed of its chance."""


def noisy(picture: Picture, strength: float, seed: int) -> Picture:
    """Add independent Gaussian noise of standard deviation `strength`."""
    noise = np.random.default_rng(seed).standard_normal(picture.shape).astype(np.float32)
    return np.clip(picture + np.float32(strength) * noise, 0, 1)


KINDS: dict[str, tuple[Distort, tuple[float, ...]]] = {
    "blur": (lambda picture, sigma, _: blur(picture, sigma), (0.5, 1, 2, 4, 8)),
    "noise": (noisy, (0.01, 0.03, 0.06, 0.12, 0.24)),
    "shift": (lambda picture, pixels, _: shifted(picture, pixels), (1, 2, 4, 8, 16)),
    "JPEG": (lambda picture, loss, _: compressed(picture, round(100 / loss)), (1.25, 2.5, 5, 10, 20)),
    "brighter": (lambda picture, amount, _: brighter(picture, amount), (0.02, 0.05, 0.1, 0.2, 0.4)),
    "tiles swapped": (lambda picture, share, _: swapped(picture, share), (0.05, 0.1, 0.2, 0.4, 0.8)),
}
"""Distortions with rising strengths: pixels, standard deviation, pixels, 100 over the quality, amount and share."""

CLOSE = 1.2
"""Ratio of two strengths that are close."""

BLENDED = ("blur", "noise", "JPEG", "brighter")
"""Kinds that a weighted mean with the picture weakens without changing their look."""


def distances(
    metric: Metric, guesses: Sequence[Picture], truth: Picture, region: Mask | None = None
) -> list[float]:
    """Return each guess's distance from a picture over a region, by default the whole picture."""
    mask = np.ones(truth.shape[:2], np.bool_) if region is None else region
    sign = -1 if metric.better == "lower" else 1
    return [sign * found["region"] for found in metric(guesses, truth, {"region": mask})]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A reference and candidates whose true order is known.

    Attributes:
        reference: (H, W, 3) in [0, 1].
        candidates: Pictures of the same size, the nearest to the reference first.
    """

    kind: str
    reference: Picture
    candidates: Sequence[Picture]

    def passed(self, metric: Metric) -> bool:
        """Return whether the distance grows strictly along the candidates."""
        found = distances(metric, self.candidates, self.reference)
        return bool((np.diff(found) > 0).all())


def rising(picture: Picture) -> Iterator[Trial]:
    """Yield all strengths of each kind."""
    for kind, (distort, strengths) in KINDS.items():
        candidates = [distort(picture, strength, 0) for strength in strengths]
        yield Trial(kind=kind, reference=picture, candidates=candidates)


def stronger(picture: Picture) -> Iterator[Trial]:
    """Yield two close strengths of each kind, around a weak and around a strong one; noise is drawn anew for each."""
    for kind, (distort, strengths) in KINDS.items():
        for strength in (strengths[1], strengths[3]):
            pair = (distort(picture, strength, 0), distort(picture, CLOSE * strength, 1))
            yield Trial(kind=kind, reference=picture, candidates=pair)


def same_kind(picture: Picture) -> Iterator[Trial]:
    """Yield pairs of kinds: more of the reference's kind is nearer than another kind of equal RMSE.

    The reference is distorted by one kind. One candidate has the same kind twice as strong; the other is the
    reference with a second kind, as strong as gives it the first candidate's error.
    """
    for kind in BLENDED:
        distort, strengths = KINDS[kind]
        reference, more = distort(picture, strengths[1], 0), distort(picture, 2 * strengths[1], 0)
        for other in BLENDED:
            if other != kind:
                changed = KINDS[other][0](reference, KINDS[other][1][-1], 1)
                share = np.float32(error(more, reference) / error(changed, reference))
                candidates = (more, reference + share * (changed - reference))
                yield Trial(kind=kind, reference=reference, candidates=candidates)

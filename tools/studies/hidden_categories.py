"""Measure what visible windows tell of the categories in hidden ones: `python -m tools.studies.hidden_categories`.

Each server of `ped_sam` guesses which categories it does not see. Attackers get views alone; the truth enters their
scores, and for training scenes the counts. Prints the table and writes it into docs/measured/hidden_categories.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pedbench.adversary.prior import load_prior
from pedbench.inversion.co_occurrence import count_co_occurrence
from pedbench.inversion.hidden_context import hidden_by_network, seen_categories
from pedbench.models.attackers.context import DETECTOR, load_context
from pedbench.models.hub.detection import load_detector
from pedbench.models.manifest import shipped
from pedbench.pictures.frame import from_uint8
from pedbench.privacy.hidden_categories import bits_over_prior, hidden_categories, mean_average_precision
from pedbench.report.words.text import estimate, table
from pedbench.results.statistics import mean
from pedbench.scenes.painting.assets import Split
from pedbench.scenes.render import Scene, render
from pedbench.scenes.staging.furnish import CATEGORIES
from pedbench.scenes.store import SPLIT_SEEDS
from pedbench.types import Instance, View
from tools.documents.measured_blocks import measured
from tools.studies.server_views import server_views

SERVERS = 3
DRAWS = 1000
"""Bootstrap draws of scenes for the interval of the mean average precision."""


@dataclass(frozen=True)
class Case:
    """A server's view of a scene, and what is hidden from it.

    Attributes:
        present: (K,) bool, the hidden categories.
    """

    image: int
    view: View
    present: npt.NDArray[np.bool_]


def cases(split: Split, count: int) -> Iterator[Case]:
    """Yield the views of all servers of the first scenes of a split: the windows that `ped_sam` gives them."""
    prior = load_prior()
    for image in range(count):
        scene = render(SPLIT_SEEDS[split], image, split)
        frame = from_uint8(scene.image)
        for view in server_views(frame, SERVERS, prior).values():
            yield Case(image, view, hidden_categories(_instances(scene), view.canvas()[1], CATEGORIES))


def _instances(scene: Scene) -> Iterator[Instance]:
    for number, each in enumerate(scene.objects):
        area = float(each.mask.sum())
        yield Instance(id=number, category=each.category, mask=each.mask, area=area)


def precision_interval(
    images: npt.NDArray[np.int64], guessed: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean average precision over scenes.

    Args:
        images: (n,) scene of each view; the views of a scene are drawn together.
        guessed: (n, K) probabilities.
        present: (n, K) bool.
    """
    rng, unique = np.random.default_rng(0), np.unique(images)
    groups = {image: np.flatnonzero(images == image) for image in unique.tolist()}
    values = []
    for _ in range(DRAWS):
        rows = np.concatenate([groups[image] for image in rng.choice(unique, len(unique)).tolist()])
        values.append(mean_average_precision(guessed[rows], present[rows]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


@measured("measured/hidden_categories.md", "hidden categories")
def main(count: int = 24, training: int = 300) -> str:
    """Guess the hidden categories of validation scenes.

    Args:
        count: Number of validation scenes.
        training: Number of training scenes whose views are counted.
    """
    detector = load_detector(str(shipped(DETECTOR)), "cpu")
    network = load_context(shipped("context-mini.safetensors"))
    known = list(cases("train", training))
    tested = list(cases("val", count))

    def seen(views: Sequence[Case]) -> npt.NDArray[np.bool_]:
        return np.stack([seen_categories(case.view, detector, CATEGORIES) for case in views])

    counted = count_co_occurrence(seen(known), np.stack([case.present for case in known]))
    present = np.stack([case.present for case in tested])
    guesses = {
        "prior: rates on training scenes": np.broadcast_to(counted.prior, present.shape),
        "co-occurrence": counted(seen(tested)),
        "`context-mini`": np.stack([hidden_by_network(case.view, network, detector) for case in tested]),
    }
    return (
        f"{len(tested)} views of {count} validation scenes, {SERVERS} servers, {present.sum(axis=1).mean():.2f} hidden "
        f"categories a view. Counts are of {len(known)} views of {training} training scenes, their evidence raised "
        f"to the power {counted.strength:g}. 95 % bootstrap intervals over scenes.\n\n"
        f"{scored(guesses, tested, counted.prior)}"
    )


def scored(
    guesses: Mapping[str, npt.NDArray[np.float64]], tested: Sequence[Case], prior: npt.NDArray[np.float64]
) -> str:
    """Return a table of the scores of some attackers.

    Args:
        guesses: By attacker, (n, K) probabilities.
        tested: The n views.
        prior: (K,) rates on training views.
    """
    images, present = np.array([case.image for case in tested]), np.stack([case.present for case in tested])
    lines = []
    for name, guessed in guesses.items():
        precision = mean_average_precision(guessed, present)
        bits = bits_over_prior(guessed, prior, present)
        found = mean(pd.DataFrame({"image": images.astype(str), "value": bits}))
        lines.append(
            [
                name,
                estimate(precision, *precision_interval(images, guessed, present)),
                estimate(found.value, *(found.ci95 or (None, None))),
            ]
        )
    return table(["attacker", "mAP", "bits over the prior"], lines, left=1)


if __name__ == "__main__":
    main()

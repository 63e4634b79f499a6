"""Ask metrics which of two distortions is nearer to a picture: `python -m tools.studies.distortion_choices`.

Prints the table and writes it into docs/measured/instruments.md.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from pedbench.base import Metric
from pedbench.metrics.learned_perceptual_similarity import LearnedPerceptualSimilarity
from pedbench.metrics.structural_similarity import StructuralSimilarity
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.plugins.defenses.gaussian_blur import blur
from pedbench.report.words.text import shown, table
from pedbench.results.statistics import mean
from pedbench.scenes.render import render
from pedbench.scenes.store import SPLIT_SEEDS
from pedbench.types import Picture
from tools.documents.measured_blocks import measured

TILE = 8
"""Side in pixels of the tiles that are swapped."""

MISMATCH = 0.02
"""Largest relative difference of a distortion's root mean square error from JPEG's."""


def error(picture: Picture, other: Picture) -> float:
    """Compute the root mean square error."""
    return float(np.sqrt(np.square(picture - other, dtype=np.float64).mean()))


def compressed(picture: Picture, quality: int) -> Picture:
    """Compress a picture as JPEG and decode it."""
    stream = io.BytesIO()
    Image.fromarray(to_uint8(picture)).save(stream, format="JPEG", quality=quality)
    return from_uint8(np.asarray(Image.open(stream)))


def noisy(picture: Picture, strength: float) -> Picture:
    """Add independent Gaussian noise, the same at every strength."""
    noise = np.random.default_rng(0).standard_normal(picture.shape).astype(np.float32)
    return np.clip(picture + np.float32(strength) * noise, 0, 1)


def shifted(picture: Picture, pixels: float) -> Picture:
    """Shift the content to the right, by cubic splines."""
    moved: Picture = np.clip(ndimage.shift(picture, (0, pixels, 0), order=3, mode="nearest"), 0, 1)
    return moved


def brighter(picture: Picture, amount: float) -> Picture:
    """Raise all values equally."""
    raised: Picture = np.clip(picture + np.float32(amount), 0, 1)
    return raised


def swapped(picture: Picture, share: float) -> Picture:
    """Swap random pairs of adjacent tiles, the last pair in part."""
    rows, columns = picture.shape[0] // TILE, picture.shape[1] // (2 * TILE)
    pairs = np.random.default_rng(0).permutation(rows * columns)
    lines = round(share * len(pairs) * TILE)
    found = picture.copy()
    for number, pair in enumerate(pairs[: -(-lines // TILE)]):
        top, left = pair // columns * TILE, pair % columns * 2 * TILE
        both = found[top : top + min(TILE, lines - number * TILE), left : left + 2 * TILE]
        both[:] = np.roll(both, TILE, axis=1)
    return found


KINDS: dict[str, tuple[Callable[[Picture, float], Picture], float]] = {
    "blur": (blur, 20.0),
    "noise": (noisy, 1.0),
    "shift": (shifted, 8.0),
    "brighter": (brighter, 0.5),
    "tiles swapped": (swapped, 1.0),
}
"""Distortions, and a strength at which each is too strong."""


def matched(picture: Picture, kind: str, target: float) -> Picture:
    """Distort a picture such that its root mean square error is `target`.

    Raises:
        ValueError: No strength comes close.
    """
    distort, high = KINDS[kind]
    low = 0.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if error(picture, distort(picture, middle)) < target else (low, middle)
    found = distort(picture, high)
    if abs(error(picture, found) / target - 1) > MISMATCH:
        raise ValueError(f"{kind}: found an error of {error(picture, found):.4f}, expected {target:.4f}")
    return found


def choices(picture: Picture, quality: int, metrics: list[Metric]) -> list[dict[str, object]]:
    """Return for each pair of distortions whether each metric rates the first as nearer."""
    jpeg = compressed(picture, quality)
    target = error(picture, jpeg)
    pictures = {"JPEG": jpeg} | {kind: matched(picture, kind, target) for kind in KINDS}
    whole = {"whole": np.ones(picture.shape[:2], np.bool_)}
    nearness = {}
    for metric in metrics:
        values = [found["whole"] for found in metric([*pictures.values()], picture, whole)]
        sign = -1 if metric.better == "higher" else 1
        nearness[metric.column] = dict(zip(pictures, (sign * value for value in values), strict=True))
    return [
        {"first": first, "second": second, "error": target}
        | {column: float(near[first] > near[second]) for column, near in nearness.items()}
        for first, second in combinations(pictures, 2)
    ]


@measured("measured/instruments.md", "choices")
def main(pictures: int = 40, quality: int = 10) -> str:
    """Compare distortions of equal error on some validation scenes.

    Args:
        quality: JPEG's quality, which determines the strength of the other distortions.
    """
    scoring, training = (LearnedPerceptualSimilarity(net=net) for net in ("scoring", "mini"))
    metrics: list[Metric] = [scoring, training, StructuralSimilarity()]
    for metric in metrics:
        metric.prepare("cpu")
    rows = []
    for index in range(pictures):
        picture = from_uint8(render(SPLIT_SEEDS["val"], index, "val").image)
        rows += [row | {"image": index} for row in choices(picture, quality, metrics)]
    found = pd.DataFrame(rows)
    columns = [metric.column for metric in metrics]
    lines = []
    for (first, second), each in found.groupby(["first", "second"], sort=False):
        shares = [mean(each.assign(value=each[column])) for column in columns]
        same = (each[columns[0]] == each[columns[2]]).mean()
        lines.append(
            [
                f"{first}, not {second}",
                *map(shown, shares),
                f"{same:.2f}",
            ]
        )
    agreeing = {column: (found[columns[0]] == found[column]).mean() for column in columns[1:]}
    return (
        f"Share of {pictures} validation scenes in which a metric takes the first distortion for nearer to the "
        "scene than the second, with 95 % bootstrap intervals over scenes. All distortions of a scene have the root "
        f"mean square error of its JPEG of quality {quality} to within {MISMATCH:.0%} "
        f"({found['error'].mean():.3f} on average), so RMSE has no choice to make. "
        f"Over all pairs {columns[0]} chooses as "
        f"{' and as '.join(f'{column} in {share:.2f}' for column, share in agreeing.items())} of the cases.\n\n"
        f"{table(['nearer', *columns, f'{columns[0]} as {columns[2]}'], lines)}"
    )


if __name__ == "__main__":
    main()

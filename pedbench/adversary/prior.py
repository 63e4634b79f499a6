"""Prior knowledge of attackers about pictures: a few training pictures and the mean colour of many."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture, Prior

FOLDER = Path(__file__).parents[1] / "assets" / "prior"
DESCRIPTION = "prior.json"


def make_prior(
    pictures: Iterable[Picture], folder: Path, *, source: str, count: int = 12, side: int = 320
) -> Prior:
    """Write the prior of a training split: its first pictures and the mean colour over all.

    Args:
        pictures: Training pictures (H, W, 3) in [0, 1], at least `count`; they are read one by one.
        folder: Where `prior.json` and the pictures go; created if needed, earlier pictures are replaced.
        source: Where the pictures come from, e.g. "scenes train seed 1, 0 to 499"; kept in `prior.json`.
        count: How many pictures to keep.
        side: Longest side in pixels of the kept pictures; larger ones are reduced.

    Returns:
        The prior as `load_prior` reads it back.

    Raises:
        ValueError: Fewer than `count` pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    names: list[str] = []
    sums: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    for index, picture in enumerate(pictures):
        sums.append(picture.mean(axis=(0, 1), dtype=np.float64))
        if index < count:
            kept = Image.fromarray(to_uint8(picture))
            kept.thumbnail((side, side), Image.Resampling.LANCZOS)
            names.append(f"{index:02}.webp")
            kept.save(folder / names[-1], quality=90, method=6)
    if len(names) < count:
        raise ValueError(f"a prior of {count} pictures needs as many to choose from, found {len(names)}")
    description = {
        "source": source,
        "sample": len(sums),
        "mean_colour": [round(float(value), 6) for value in np.mean(sums, axis=0)],
        "pictures": names,
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return load_prior(folder)


def describe_prior(folder: Path = FOLDER) -> str:
    """In words, what an attacker who has a prior knows of pictures in general.

    Raises:
        FileNotFoundError: The folder holds no prior.
    """
    description = _description(folder)
    return f"{len(description['pictures'])} training pictures, mean colour of {description['sample']}"


def _description(folder: Path) -> dict[str, Any]:
    file = folder / DESCRIPTION
    if not file.is_file():
        raise FileNotFoundError(f"there is no prior at {file}; `pedbench train prior` makes it")
    description: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return description


def load_prior(folder: Path = FOLDER) -> Prior:
    """Read a prior that `make_prior` wrote; by default the one that pedbench ships.

    Raises:
        FileNotFoundError: The folder holds no prior.
    """
    description = _description(folder)
    pictures = [
        np.asarray(Image.open(folder / name).convert("RGB"), np.float32) / np.float32(255)
        for name in description["pictures"]
    ]
    return Prior(mean_colour=np.asarray(description["mean_colour"], np.float32), pictures=tuple(pictures))

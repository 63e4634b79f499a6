"""Pictures of the README: scenes, and a run's exhibits of received content and masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pedbench.pictures.frame import from_uint8
from pedbench.registry import Registry
from pedbench.report.figures.drawing import run_looks, save
from pedbench.report.figures.frontier import frontier_figure
from pedbench.report.numbers.combined import combined
from pedbench.report.numbers.frontier import frontier
from pedbench.report.outputs.gallery import DefenseRow, PictureRow, gallery
from pedbench.report.outputs.gallery import Tile as Shown
from pedbench.results.run import Run, load
from pedbench.types import Picture
from tools.documents.sheet import Tile, draw_sheet

ON_SHEET = (2, 5, 6, 10, 11, 21, 28, 38)
"""Scenes of the validation split, by index."""

PICTURES = 2
"""Number of a run's exhibits that are drawn."""

KEY = ("\N{UPWARDS ARROW} what a server got", "\N{RIGHTWARDS ARROW} what was made of it")

WIDTH = 240
"""Width of a picture on a sheet, in pixels."""

Columns = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Defenses by the heading of their column: name and parameters. Those that a run lacks are left out."""

ATTACKED: Columns = {
    "full offload": ("full_offload", {}),
    "blur": ("gaussian_blur", {"weights": "original"}),
    "pixelation": ("pixelate", {"weights": "original"}),
    "PED-SAM, 3 servers": ("ped_sam", {"servers": 3, "weights": "fine-tuned"}),
    "PED-SAM, 25 servers": ("ped_sam", {"servers": 25, "weights": "fine-tuned"}),
}
SEGMENTED: Columns = {
    "on the device": ("on_device", {"weights": "original"}),
    "blur": ATTACKED["blur"],
    "PED-SAM, 3 servers": ATTACKED["PED-SAM, 3 servers"],
}


def draw_all(folder: Path, run_dir: Path) -> None:
    """Draw the pictures of the README into a folder.

    Args:
        run_dir: A run of `mini`; with strengths, of which the frontier is drawn, joined with one of `frontier`.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: The run has no exhibits.
    """
    draw_scenes(folder / "scenes.png")
    run = load(run_dir)
    pictures = list(gallery(run, defaultdict(str), ()))[:PICTURES]
    if not pictures:
        raise ValueError(f"{run_dir} has no exhibits to draw; a suite with exhibits = 0 keeps none")
    _draw_views(run, pictures, folder / "what_servers_see.png")
    _draw_masks(run, pictures, folder / "masks.png")
    drawing = frontier_figure(run, frontier(run), combined(run), run_looks(run))
    if drawing is not None:
        save(drawing, folder)


def draw_scenes(path: Path) -> None:
    """Draw a sheet of validation scenes."""
    scenes = Registry().create("datasets", "scenes", {})
    tiles = [Tile(picture=scenes[index].image) for index in ON_SHEET]
    half = len(tiles) // 2
    draw_sheet([tiles[:half], tiles[half:]], path, width=WIDTH)


def _draw_views(run: Run, pictures: Sequence[PictureRow], path: Path) -> None:
    """Draw the worst server's received content, and the guess that leaks most by the first distance."""
    rows: list[list[Tile]] = []
    titles = list(_present(run, pictures[0], ATTACKED))
    for picture in pictures:
        present = _present(run, picture, ATTACKED)
        received = [Tile(picture=_pixels(picture.truth), caption=["the scene"])]
        guessed = [Tile(caption=KEY)]
        for title in titles:
            seen, strongest, *_ = (cell for cell in present[title].cells if isinstance(cell, Shown))
            received.append(_tile(seen, f"received: {seen.caption}"))
            guessed.append(_tile(strongest, strongest.title, strongest.caption))
        rows += [received, guessed]
    draw_sheet(rows, path, headers=["", *titles], width=WIDTH)


def _draw_masks(run: Run, pictures: Sequence[PictureRow], path: Path) -> None:
    """Draw the masks after one click per object."""
    rows = []
    titles = list(_present(run, pictures[0], SEGMENTED))
    for picture in pictures:
        present = _present(run, picture, SEGMENTED)
        masks = [present[title].masks for title in titles]
        shown = [_tile(tile, tile.caption) for tile in masks if tile is not None]
        rows.append([Tile(picture=_pixels(picture.truth)), *shown])
    draw_sheet(rows, path, headers=["the scene", *titles], width=WIDTH)


def _present(run: Run, picture: PictureRow, columns: Columns) -> dict[str, DefenseRow]:
    """Select the columns that the run has, by title."""
    return {
        title: row
        for title, (name, params) in columns.items()
        for row in picture.rows
        for identity in [run.defenses[row.defense]]
        if identity["name"] == name and params.items() <= identity["params"].items()
    }


def _tile(shown: Shown, *caption: str) -> Tile:
    return Tile(picture=_pixels(shown.path), caption=caption)


def _pixels(path: Path) -> Picture:
    with Image.open(path) as picture:
        return from_uint8(np.asarray(picture.convert("RGB")))

"""A folder in COCO's layout of one picture with one square."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

HEIGHT, WIDTH = 20, 30
SQUARE = [[5, 5, 15, 5, 15, 15, 5, 15]]


def write(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Writes a folder of one picture with one square; `changes` replace parts of its JSON file."""
    (folder / "images").mkdir(exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), "red").save(folder / "images" / "a.png")
    data = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": [annotation()],
        "categories": [{"id": 7, "name": "box"}],
    } | changes
    (folder / "a.json").write_text(json.dumps(data))
    return folder / "images", folder / "a.json"


def annotation(**changes: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "image_id": 1,
        "category_id": 7,
        "segmentation": SQUARE,
        "area": 100,
        "iscrowd": 0,
    } | changes

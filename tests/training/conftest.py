"""A few scenes, packed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.scenes.store import write_split
from pedbench.training.data.packing import PackedScenes, pack


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO's layout: `images/` and `annotations/instances.json`."""
    root = tmp_path_factory.mktemp("packed") / "train"
    write_split(root, seed=3, count=6, split="train", workers=1)
    return root


@pytest.fixture(scope="session")
def scenes(scene_folder: Path) -> PackedScenes:
    return pack(scene_folder, canvas=320)


@pytest.fixture(scope="session")
def images(scene_folder: Path) -> Path:
    return scene_folder / "images"

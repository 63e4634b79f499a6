"""A few scenes, packed once."""

from __future__ import annotations

import pytest

from pedbench.scenes.store import write_split
from pedbench.training.packing import PackedScenes, pack


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> PackedScenes:
    root = tmp_path_factory.mktemp("packed") / "train"
    write_split(root, seed=3, count=6, split="train", workers=1)
    return pack(root, canvas=320)

"""Procedural rooms and desks with known words and faces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pedbench.data.coco import CocoDataset, CocoFolder
from pedbench.host.home import home


@dataclass(kw_only=True)
class Scenes(CocoDataset):
    """Rooms and desks as a head-worn camera sees them, drawn on first use and kept in pedbench's home.

    Attributes:
        split: `train` or `val`, which share no textures, faces or words.
        count: Number of scenes; the first ones do not depend on it.
        seed: Seed of fresh scenes; by default the published ones of the split.
        least_words: Minimum number of planted words of a scene; those with fewer are passed over.
        least_faces: Minimum number of planted faces of a scene.
    """

    name = "scenes"
    version = 1

    split: Literal["train", "val"] = "val"
    count: int = 200
    seed: int | None = None
    least_words: int = 0
    least_faces: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is at least 1, found {self.count}")
        if self.least_words < 0 or self.least_faces < 0:
            raise ValueError(
                f"least_words and least_faces are at least 0, found {self.least_words} and {self.least_faces}"
            )

    @property
    def revision(self) -> str:
        """The generator's revision, the split and the seed, which with the index determine a scene."""
        from pedbench.scenes.store import REVISION, SPLIT_SEEDS

        return f"{REVISION}-{self.split}-{SPLIT_SEEDS[self.split] if self.seed is None else self.seed}"

    @cached_property
    def folder(self) -> CocoFolder:
        """The reader of the scenes, which are drawn on first use."""
        name = f"{self.revision}-{self.count}"
        if self.least_words or self.least_faces:
            name += f"-{self.least_words}-{self.least_faces}"
        root = home() / "scenes" / name
        self._draw(root)
        return CocoFolder(root / "images", root / "annotations" / "instances.json")

    def _draw(self, root: Path) -> None:
        from rich.console import Console
        from rich.progress import Progress

        from pedbench.scenes.store import SPLIT_SEEDS, write_split

        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f"drawing {self.count} scenes", total=self.count)
            write_split(
                root,
                seed=SPLIT_SEEDS[self.split] if self.seed is None else self.seed,
                count=self.count,
                split=self.split,
                workers=min(os.cpu_count() or 1, -(-self.count // 8)),
                least={"text": self.least_words, "face": self.least_faces},
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )

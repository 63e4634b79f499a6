"""Photographs annotated as COCO's are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pedbench.data.coco import CocoDataset, CocoFolder
from pedbench.errors import DatasetError
from pedbench.host.home import home


@dataclass(kw_only=True)
class Coco(CocoDataset):
    """A folder in COCO's layout: pictures, and their instances in a JSON file.

    Attributes:
        data: The folder, with `<split>/` and `annotations/instances_<split>.json`, or with `images/` and
            `annotations/instances.json`; by default `coco` in pedbench's home.
        split: Name of the part, such as `val2017`.
    """

    name = "coco"
    version = 1
    cite = "Lin et al., Microsoft COCO: Common Objects in Context, arXiv 1405.0312"

    data: str | None = None
    split: str = "val2017"

    @property
    def revision(self) -> str:
        """First digits of the annotation file's sha256, and the number of pictures that it lists."""
        return f"{self.folder.digest}-{len(self.folder.candidates)}"

    @cached_property
    def folder(self) -> CocoFolder:
        """The reader, which loads the annotations when first used.

        Raises:
            DatasetError: The folder is not there or has neither layout.
        """
        root = home() / "coco" if self.data is None else Path(self.data).expanduser()
        for images, file in ((self.split, f"instances_{self.split}.json"), ("images", "instances.json")):
            if (root / images).is_dir() and (root / "annotations" / file).is_file():
                return CocoFolder(root / images, root / "annotations" / file)
        raise DatasetError(
            f"no COCO folder at {root}: looked for {self.split}/, annotations/instances_{self.split}.json, "
            "and for images/, annotations/instances.json. Name the folder with --data PATH; `pedbench fetch coco` gets "
            "val2017."
        )

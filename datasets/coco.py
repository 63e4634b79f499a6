"""Photographs annotated as COCO's are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pedbench.data.coco import CocoDataset, CocoFolder
from pedbench.errors import DatasetError
from pedbench.host.home import home

_ROBOFLOW = "_annotations.coco.json"

_OTHERS = {"data.yaml": "YOLO", "annotations.xml": "CVAT for images", "Annotations": "Pascal VOC"}
"""Layouts of other formats, by a file or folder that they have."""


@dataclass(kw_only=True)
class Coco(CocoDataset):
    """A folder in COCO's layout: pictures, and their instances in a JSON file.

    Attributes:
        data: The folder; by default `coco` in pedbench's home. It has `<split>/` or `images/<split>/` and
            `annotations/instances_<split>.json`, or `images/` and `annotations/instances.json` or
            `annotations/instances_default.json` (CVAT) or `result.json` (Label Studio), or pictures and
            `_annotations.coco.json` (a part of a Roboflow export).
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
        of_split = f"annotations/instances_{self.split}.json"
        layouts = [
            (self.split, of_split),
            (f"images/{self.split}", of_split),
            ("images", "annotations/instances.json"),
            ("images", "annotations/instances_default.json"),
            (".", "result.json"),
            (".", _ROBOFLOW),
        ]
        for images, file in layouts:
            if (root / images).is_dir() and (root / file).is_file():
                return CocoFolder(root / images, root / file)
        parts = sorted(str(file.parent) for file in root.glob(f"*/{_ROBOFLOW}"))
        other = [kind for name, kind in _OTHERS.items() if (root / name).exists()]
        if parts:
            cure = f"It is a Roboflow export: name one of its parts, e.g. --data {parts[0]}."
        elif other:
            cure = f"It looks like an export as {other[0]}: export it as COCO with instance masks."
        else:
            cure = "Name the folder with --data PATH; `pedbench fetch coco` gets val2017."
        looked = "; ".join(f"{file} with {images}/" for images, file in layouts)
        raise DatasetError(f"no COCO folder at {root}: looked for {looked}. {cure}")

"""A dataset that reads pictures and masks from files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from pedbench.data.readable import FileDataset, ReadableIds
from pedbench.errors import DatasetError
from pedbench.pictures.files import SUFFIXES, PictureError, read_picture
from pedbench.types import Instance, Sample


@dataclass(kw_only=True)
class PngMasks(FileDataset):
    """Pictures in `images/`, each with a PNG of its name in `masks/`.

    A mask is grey and of the picture's size. 0 is background, every other level is an object.

    Attributes:
        data: The folder that holds `images/` and `masks/`.
    """

    name = "png_masks"
    version = 1

    data: str | None = None

    @property
    def locations(self) -> tuple[Path, ...]:
        return () if self.data is None else (Path(self.data).expanduser(),)

    @cached_property
    def revision(self) -> str:
        """First digits of a sha256 over the content of all files: other pictures or masks are another dataset."""
        content = hashlib.sha256()
        for name, path in self.paths.items():
            content.update(name.encode() + b"\0")
            for file in (path, self._mask(name)):
                content.update(hashlib.sha256(file.read_bytes() if file.is_file() else b"").digest())
        return content.hexdigest()[:12]

    @cached_property
    def paths(self) -> Mapping[str, Path]:
        """The pictures by name.

        Raises:
            DatasetError: There is none.
        """
        if self.data is None:
            raise DatasetError("png_masks needs a folder: name one with --data PATH.")
        folder = Path(self.data).expanduser() / "images"
        found = {file.stem: file for file in sorted(folder.glob("*")) if file.suffix.lower() in SUFFIXES}
        if not found:
            raise DatasetError(f"{folder} holds no picture: looked for {', '.join(sorted(SUFFIXES))}.")
        return found

    @cached_property
    def readable(self) -> ReadableIds:
        return ReadableIds(list(self.paths), self.sample)

    def sample(self, id: str) -> Sample:
        image = read_picture(self.paths[id], upright=True)
        path = self._mask(id)
        try:
            with Image.open(path, formats=["PNG"]) as file:
                levels = np.asarray(file)
        except OSError as error:
            raise PictureError(f"{path}: cannot be read as a PNG: {error}") from None
        if levels.shape != image.shape[:2]:
            raise PictureError(
                f"{path}: expected one level for each of {image.shape[:2]} pixels, found {levels.shape}"
            )
        masks = {int(level): levels == level for level in np.unique(levels[levels > 0])}
        instances = (
            Instance(id=level, category="object", mask=mask, area=float(mask.sum()))
            for level, mask in masks.items()
        )
        return Sample(id=id, image=image, instances=tuple(instances))

    def _mask(self, id: str) -> Path:
        return Path(str(self.data)).expanduser() / "masks" / f"{id}.png"

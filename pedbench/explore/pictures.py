"""Pictures that a person brings along: files of the command line and uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pedbench.base import Dataset
from pedbench.host.scratch import ScratchFolder
from pedbench.pictures.files import PictureError, read_picture
from pedbench.types import Sample

MAX_BYTES = 32 * 2**20
"""Largest picture file that is accepted."""


@dataclass(kw_only=True)
class Brought(Dataset):
    """One picture without annotations, in the place of a dataset of such pictures."""

    name = "folder"
    version = 1
    annotated: ClassVar[bool] = False

    sample: Sample = field(repr=False)

    @property
    def revision(self) -> str:
        return self.sample.id

    @property
    def left_out(self) -> Mapping[str, str]:
        return {}

    def ids(self) -> Sequence[str]:
        return (self.sample.id,)

    def __getitem__(self, index: int) -> Sample:
        return (self.sample,)[index]


def read_bytes(name: str, data: bytes) -> Sample:
    """Read a picture by the rules of datasets: EXIF orientation, alpha, palettes, limits of size.

    Raises:
        PictureError: It is too large or no picture; the message names it as the person does.
    """
    if len(data) > MAX_BYTES:
        raise PictureError(f"{name}: has {len(data):,} bytes, more than the {MAX_BYTES:,} that are read.")
    with ScratchFolder("explore") as folder:
        file = Path(folder, "picture")
        file.write_bytes(data)
        try:
            image = read_picture(file, upright=True)
        except PictureError as error:
            raise PictureError(str(error).replace(str(file), name)) from None
    return Sample(id=f"{name} {hashlib.sha256(data).hexdigest()[:12]}", image=image)

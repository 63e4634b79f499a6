"""A folder of pictures with a COCO instances file: the only reader of annotated pictures."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pedbench.data.coco_file import InstancesFile, image_id, short
from pedbench.data.coco_masks import decode_segmentation
from pedbench.data.readable import FileDataset, ReadableIds
from pedbench.pictures.files import PictureError, read_picture, refuse_way_out
from pedbench.types import Instance, Picture, Sample

MOST_MASK_PIXELS = 2**31
"""Of all masks of a picture together, a byte each."""


class CocoFolder:
    """Pictures and their instances; masks are decoded when a sample is read.

    Ids of pictures are integers or strings, those of annotations integers or strings of digits. A defective
    annotation is left out and listed in `defects`; one without `area` has its mask's, one without `iscrowd`
    is no crowd, one of an unknown category is called by the category's id. A picture that cannot be read, or
    is of another size than the annotations say, is listed in `ids.left_out`. Pictures are not turned by their
    EXIF orientation, as annotations refer to the stored pixels. Secrets may stand beside the annotations
    under `secrets`, each with image_id, kind, content and bbox.

    Args:
        images: Folder of the pictures.
        annotations: The instances JSON file.

    Raises:
        DatasetError: There is no such folder or file, or the file is not a usable instances file.
    """

    def __init__(self, images: Path, annotations: Path) -> None:
        self._images = images
        self.locations = (images, annotations)
        self._file = InstancesFile(annotations)
        self.digest = self._file.digest
        self.defects: Mapping[str, str] = self._file.defects
        """Annotations left out, name -> reason; what shows only in decoding joins when the sample is read."""
        self.ids: ReadableIds = ReadableIds(list(self._file.entries), self._read)

    @property
    def candidates(self) -> Sequence[str]:
        """Ids of all pictures, readable or not, in the order of the file."""
        return list(self._file.entries)

    @property
    def file_names(self) -> Mapping[str, Any]:
        """Where in the folder the picture of each id is, as the file says it."""
        return {id: entry.file_name for id, entry in self._file.entries.items()}

    def sample(self, id: str) -> Sample:
        """Read one picture and decode its instances' masks.

        Raises:
            PictureError: The picture cannot be read.
        """
        image = self._read(id)
        entry = self._file.entries[id]
        size = (image.shape[0], image.shape[1])
        instances: list[Instance] = []
        for annotation in self._file.annotations.of(entry.place):
            if (len(instances) + 1) * size[0] * size[1] > MOST_MASK_PIXELS:
                self._file.leave_out(
                    f"picture {id}", f"only its first {len(instances)} masks fit into memory"
                )
                break
            instance = self._instance(annotation, size)
            if instance is not None:
                instances.append(instance)
        return Sample(
            id=id, image=image, instances=tuple(instances), secrets=tuple(self._file.secrets.get(id, ()))
        )

    def _read(self, id: str) -> Picture:
        entry = self._file.entries[id]
        name = entry.file_name
        if not isinstance(name, str) or not name or "\0" in name or "\\" in name:
            raise PictureError(f"picture {id}: {short(name)} is no file name.")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise PictureError(f"picture {id}: the file name {name!r} leads out of the folder.")
        refuse_way_out(self._images / name, self._images)
        image = read_picture(self._images / name, upright=False)
        height, width = image.shape[:2]
        if entry.size != (None, None) and entry.size != (height, width):
            annotated = f"{str(entry.size[1])[:20]} x {str(entry.size[0])[:20]}"
            raise PictureError(
                f"{self._images / name}: is {width} x {height} pixels, but annotated as {annotated}."
            )
        return image

    def _instance(self, annotation: dict[str, Any], size: tuple[int, int]) -> Instance | None:
        number = annotation["id"]
        try:
            mask = decode_segmentation(annotation.get("segmentation"), size)
            pixels = int(mask.sum())
            if not pixels:
                raise ValueError("its mask has no pixel")
            area = annotation.get("area", pixels)
            if type(area) not in (int, float) or not (math.isfinite(area) and area >= 0):
                raise ValueError(f"its area is {short(area)}")
            crowd = annotation.get("iscrowd", 0)
            if crowd not in (0, 1):
                raise ValueError(f"its iscrowd is {short(crowd)}, not 0 or 1")
        except (ValueError, OverflowError) as error:
            self._file.leave_out(str(number), str(error))
            return None
        kind = image_id(annotation.get("category_id"))
        category = self._file.categories.get(kind, f"category {kind}")
        return Instance(id=number, category=category, mask=mask, area=float(area), crowd=bool(crowd))


@dataclass(kw_only=True)
class CocoDataset(FileDataset):
    """A dataset that lies in such a folder."""

    @cached_property
    @abstractmethod
    def folder(self) -> CocoFolder:
        """The reader, made when first asked for."""

    @property
    def readable(self) -> ReadableIds:
        return self.folder.ids

    @property
    def locations(self) -> tuple[Path, ...]:
        return self.folder.locations

    @property
    def defects(self) -> Mapping[str, str]:
        return self.folder.defects

    def sample(self, id: str) -> Sample:
        return self.folder.sample(id)

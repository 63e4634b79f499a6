"""A folder of pictures with a COCO instances file: the only reader of annotated pictures."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pedbench.data.coco_file import NO_PICTURE, InstancesFile, image_id, short
from pedbench.data.coco_masks import decode_segmentation
from pedbench.data.readable import AnnotationCounts, FileDataset, ReadableIds
from pedbench.pictures.files import PictureError, orientation, read_picture, refuse_way_out
from pedbench.types import Instance, Picture, Sample

MOST_MASK_PIXELS = 2**31
"""Largest number of pixels of all masks of a picture together; each takes a byte."""


class CocoFolder:
    """Pictures and their instances; masks are decoded when a sample is read.

    Ids of pictures are integers or strings, those of annotations integers or strings of digits. A defective
    annotation is left out and listed in `defects`; one without `area` has its mask's, one without `iscrowd`
    is no crowd, one of an unknown category is called by the category's id. Of several polygons those with fewer
    than three corners are ignored. A picture that cannot be read, or is of another size than the annotations say, is
    listed in `ids.left_out`. A picture with an EXIF orientation is read as stored or upright, whichever has the
    annotated size, and left out if that does not decide. Secrets may stand beside the annotations under `secrets`,
    each with image_id, kind, content and bbox.

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
        self._used: dict[str, int] = {}
        self.ids: ReadableIds = ReadableIds(list(self._file.entries), self.sample)

    @property
    def candidates(self) -> Sequence[str]:
        """Ids of all pictures, readable or not, in the order of the file."""
        return list(self._file.entries)

    @property
    def file_names(self) -> Mapping[str, Any]:
        """Where in the folder the picture of each id is, as the file says it."""
        return {id: entry.file_name for id, entry in self._file.entries.items()}

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the file's categories in the order of the alphabet, each once."""
        return tuple(sorted(set(self._file.categories.values())))

    @property
    def counts(self) -> AnnotationCounts:
        """Annotations of the pictures read so far and of no picture."""
        places = [NO_PICTURE, *(self._file.entries[id].place for id in self._used)]
        lost = sum((self._file.lost[place] for place in places if place in self._file.lost), Counter[str]())
        return AnnotationCounts(used=sum(self._used.values()), lost=lost)

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
                self._leave_out(
                    id, f"picture {id}", f"the masks of its picture fill the memory: after {len(instances)}"
                )
                break
            try:
                instances.append(self._instance(annotation, size))
            except (ValueError, OverflowError) as error:
                self._leave_out(id, str(annotation["id"]), str(error))
        self._used[id] = len(instances)
        return Sample(
            id=id, image=image, instances=tuple(instances), secrets=tuple(self._file.secrets.get(id, ()))
        )

    def _leave_out(self, id: str, name: str, reason: str) -> None:
        """Note an annotation the first time that its picture is read."""
        if id not in self._used:
            self._file.leave_out(name, reason, self._file.entries[id].place)

    def _read(self, id: str) -> Picture:
        entry = self._file.entries[id]
        name = entry.file_name
        if not isinstance(name, str) or not name or "\0" in name or "\\" in name:
            raise PictureError(f"picture {id}: {short(name)} is no file name.")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise PictureError(f"picture {id}: the file name {name!r} leads out of the folder.")
        path = self._images / name
        refuse_way_out(path, self._images)
        image = read_picture(path, upright=False)
        turned = orientation(path)
        height, width = image.shape[:2]
        sideways = turned > 4 and height != width
        if sideways and entry.size == (width, height):
            return read_picture(path, upright=True)
        if entry.size != (None, None) and entry.size != (height, width):
            annotated = f"{str(entry.size[1])[:20]} x {str(entry.size[0])[:20]}"
            raise PictureError(f"{path}: is {width} x {height} pixels, but annotated as {annotated}.")
        if turned != 1 and not (sideways and entry.size == (height, width)):
            raise PictureError(
                f"{path}: has the EXIF orientation {turned}, and its size does not say whether it was annotated "
                "upright: save it upright, without the tag."
            )
        return image

    def _instance(self, annotation: dict[str, Any], size: tuple[int, int]) -> Instance:
        mask = decode_segmentation(annotation.get("segmentation"), size)
        pixels = int(mask.sum())
        if not pixels:
            raise ValueError("its mask has no pixel")
        area = pixels if annotation.get("area") is None else annotation["area"]
        if type(area) not in (int, float) or not (math.isfinite(area) and area >= 0):
            raise ValueError(f"its area is no size: {short(area)}")
        crowd = annotation.get("iscrowd") or 0
        if crowd not in (0, 1):
            raise ValueError(f"its iscrowd is neither 0 nor 1: {short(crowd)}")
        kind = image_id(annotation.get("category_id"))
        category = self._file.categories.get(kind, f"category {kind}")
        return Instance(
            id=annotation["id"], category=category, mask=mask, area=float(area), crowd=bool(crowd)
        )


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

    @property
    def counts(self) -> AnnotationCounts:
        return self.folder.counts

    def sample(self, id: str) -> Sample:
        return self.folder.sample(id)

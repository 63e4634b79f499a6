"""A folder of pictures with a COCO instances file: the only reader of annotated pictures."""

from __future__ import annotations

import hashlib
import json
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pedbench.coco_masks import decode_segmentation
from pedbench.pictures import PictureError, read_picture
from pedbench.reading import DatasetError, FileDataset, ReadableIds
from pedbench.types import Instance, Picture, Sample, Secret


@dataclass
class _Entry:
    file_name: Any
    size: tuple[Any, Any]
    annotations: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)


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
        data, self.digest = _load(annotations)
        self.defects: dict[str, str] = {}
        """Annotations left out, name -> reason; what shows only in decoding joins when the sample is read."""
        self._categories = _categories(data)
        self._entries = _entries(data, annotations)
        self._sort_in(data["annotations"])
        self._sort_in_secrets(data.get("secrets", []))
        self.ids: ReadableIds = ReadableIds(list(self._entries), self._read)

    @property
    def candidates(self) -> Sequence[str]:
        """Ids of all pictures, readable or not, in the order of the file."""
        return list(self._entries)

    @property
    def file_names(self) -> Mapping[str, Any]:
        """Where in the folder the picture of each id is, as the file says it."""
        return {id: entry.file_name for id, entry in self._entries.items()}

    def sample(self, id: str) -> Sample:
        """Read one picture and decode its instances' masks.

        Raises:
            PictureError: The picture cannot be read.
        """
        image = self._read(id)
        entry = self._entries[id]
        size = (image.shape[0], image.shape[1])
        found = [self._instance(annotation, size) for annotation in entry.annotations]
        instances = tuple(instance for instance in found if instance is not None)
        return Sample(id=id, image=image, instances=instances, secrets=tuple(entry.secrets))

    def _read(self, id: str) -> Picture:
        entry = self._entries[id]
        name = entry.file_name
        if not isinstance(name, str) or not name or "\0" in name or "\\" in name:
            raise PictureError(f"picture {id}: {name!r} is no file name.")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise PictureError(f"picture {id}: the file name {name!r} leads out of the folder.")
        image = read_picture(self._images / name, upright=False)
        height, width = image.shape[:2]
        if entry.size != (None, None) and entry.size != (height, width):
            annotated = f"{entry.size[1]} x {entry.size[0]}"
            raise PictureError(
                f"{self._images / name}: is {width} x {height} pixels, but annotated as {annotated}."
            )
        return image

    def _sort_in(self, annotations: list[Any]) -> None:
        known = set()
        for place, annotation in enumerate(annotations):
            number = _number(annotation.get("id")) if isinstance(annotation, dict) else None
            if number is None:
                self.defects[f"the one at place {place}"] = "it has no integer id"
            elif number in known:
                self.defects[f"{number} at place {place}"] = "another annotation has the same id"
            elif (image := _image_id(annotation.get("image_id"))) not in self._entries:
                self.defects[str(number)] = f"there is no image {annotation.get('image_id')!r}"
            else:
                known.add(number)
                self._entries[image].annotations.append(annotation | {"id": number})

    def _sort_in_secrets(self, secrets: Any) -> None:
        for place, secret in enumerate(secrets if isinstance(secrets, list) else [secrets]):
            try:
                entry = self._entries[str(secret["image_id"])]
                left, top, width, height = (float(value) for value in secret["bbox"])
                box = (left, top, width, height)
                if secret["kind"] not in ("text", "face") or not isinstance(secret["content"], str):
                    raise ValueError("a secret is a text or a face with a content in words")
                if not all(map(math.isfinite, box)):
                    raise ValueError(f"the box of a secret is {box}")
                entry.secrets.append(Secret(kind=secret["kind"], content=secret["content"], box=box))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                self.defects[f"secret at place {place}"] = f"{type(error).__name__}: {error}"

    def _instance(self, annotation: dict[str, Any], size: tuple[int, int]) -> Instance | None:
        number = annotation["id"]
        try:
            mask = decode_segmentation(annotation.get("segmentation"), size)
            pixels = int(mask.sum())
            if not pixels:
                raise ValueError("its mask has no pixel")
            area = annotation.get("area", pixels)
            if type(area) not in (int, float) or not (math.isfinite(area) and area >= 0):
                raise ValueError(f"its area is {area!r}")
            crowd = annotation.get("iscrowd", 0)
            if crowd not in (0, 1):
                raise ValueError(f"its iscrowd is {crowd!r}, not 0 or 1")
        except (ValueError, OverflowError) as error:
            self.defects[str(number)] = str(error)
            return None
        kind = _image_id(annotation.get("category_id"))
        category = self._categories.get(kind, f"category {kind}")
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


def _load(path: Path) -> tuple[dict[str, Any], str]:
    """The file's content and the first 12 hexadecimal digits of its sha256."""
    try:
        text = path.read_bytes()
        data = json.loads(text)
    except OSError as error:
        raise DatasetError(f"{path}: the annotations cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise DatasetError(f"{path}: an instances file is a JSON object, found a {type(data).__name__}.")
    for key in ("images", "annotations"):
        if not isinstance(data.get(key), list):
            raise DatasetError(f"{path}: an instances file has a list under {key!r}, this one has none.")
    return data, hashlib.sha256(text).hexdigest()[:12]


def _entries(data: dict[str, Any], path: Path) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for place, image in enumerate(data["images"]):
        id = _image_id(image.get("id")) if isinstance(image, dict) else None
        if id is None:
            raise DatasetError(f"{path}: the image at place {place} has no usable id.")
        if id in entries:
            raise DatasetError(
                f"{path}: two images have the id {id}; their annotations cannot be told apart."
            )
        size = (image.get("height"), image.get("width"))
        entries[id] = _Entry(file_name=image.get("file_name"), size=size)
    if not entries:
        raise DatasetError(f"{path}: lists no images.")
    return entries


def _categories(data: dict[str, Any]) -> dict[str | None, str]:
    listed = data.get("categories")
    return {
        _image_id(category.get("id")): str(category.get("name"))
        for category in (listed if isinstance(listed, list) else [])
        if isinstance(category, dict)
    }


def _image_id(value: Any) -> str | None:
    """An id as text; None for what cannot be one, such as a name that no file or table could hold."""
    if isinstance(value, str):
        return value if value and value.isprintable() else None
    return str(value) if type(value) is int else None


def _number(value: Any) -> int | None:
    """An annotation's id: an integer, or a string of digits, that fits into 64 bits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if type(value) is int and abs(value) < 2**63 else None

"""Pictures of any folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pedbench.data.readable import FileDataset, ReadableIds
from pedbench.errors import DatasetError
from pedbench.pictures.files import SUFFIXES, UNREAD_SUFFIXES, read_picture, refuse_way_out
from pedbench.types import Picture, Sample


@dataclass(kw_only=True)
class Folder(FileDataset):
    """All pictures in a folder and its subfolders, by name, without annotations.

    Ids are the files' paths within the folder. Pictures are turned as their EXIF orientation says. Hidden
    files, linked folders and files linked from outside are left out.

    Attributes:
        data: The folder.
    """

    name = "folder"
    version = 2
    annotated: ClassVar[bool] = False

    data: str | None = None

    @property
    def left_out(self) -> Mapping[str, str]:
        """Unreadable pictures, and in one entry the files in formats that are not read."""
        unread = [name for name in self._names if name.suffix.lower() in UNREAD_SUFFIXES]
        if not unread:
            return self.readable.left_out
        more = f" and {len(unread) - 1} more" if unread[1:] else ""
        kinds = ", ".join(sorted({name.suffix.lower() for name in unread}))
        reason = f"pictures in {kinds} are not read: convert them to PNG or JPEG"
        return {**self.readable.left_out, f"{min(unread)}{more}": reason}

    @cached_property
    def revision(self) -> str:
        """First digits of a sha256 over the files' names and sizes (not their content), and their number."""
        listing = "".join(f"{id}\0{path.stat().st_size}\0" for id, path in self.paths.items())
        return f"{hashlib.sha256(listing.encode()).hexdigest()[:12]}-{len(self.paths)}"

    def sample(self, id: str) -> Sample:
        return Sample(id=id, image=self._read(id))

    @property
    def locations(self) -> tuple[Path, ...]:
        return () if self.data is None else (Path(self.data).expanduser(),)

    @cached_property
    def _names(self) -> list[Path]:
        root = Path(str(self.data)).expanduser()
        names = [Path(folder, name).relative_to(root) for folder, _, files in os.walk(root) for name in files]
        return [name for name in names if not name.name.startswith(".")]

    @cached_property
    def paths(self) -> Mapping[str, Path]:
        """The files by id, in the order of their ids.

        Raises:
            DatasetError: There is no such folder, or no picture in it.
        """
        if self.data is None:
            raise DatasetError("the dataset folder needs a folder of pictures: name one with --data PATH.")
        root = Path(self.data).expanduser()
        if not root.is_dir():
            raise DatasetError(f"there is no folder {root}: name a folder of pictures with --data PATH.")
        pictures = [name for name in self._names if name.suffix.lower() in SUFFIXES]
        if not pictures:
            raise DatasetError(
                f"{root} holds no picture: looked for names that end in {', '.join(sorted(SUFFIXES))}."
            )
        # A file name may be invalid text, but ids must be valid: they are written to tables.
        found = {
            os.fsencode(name.as_posix()).decode(errors="backslashreplace"): root / name for name in pictures
        }
        return dict(sorted(found.items()))

    @cached_property
    def readable(self) -> ReadableIds:
        return ReadableIds(list(self.paths), self._read)

    def _read(self, id: str) -> Picture:
        path = self.paths[id]
        refuse_way_out(path, Path(str(self.data)).expanduser())
        return read_picture(path, upright=True)

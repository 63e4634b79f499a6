"""Datasets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pedbench.base.plugin import Plugin
from pedbench.types import Sample


@dataclass(kw_only=True)
class Dataset(Plugin, ABC):
    """Pictures with what is known about them, in a fixed order.

    Attributes:
        annotated: Whether the pictures come with instances; where not, masks are compared with the undefended
            model's.
    """

    annotated: ClassVar[bool] = True

    @property
    @abstractmethod
    def revision(self) -> str:
        """Identifies the content: a release name or a hash. Part of a cell's identity."""

    @property
    @abstractmethod
    def left_out(self) -> Mapping[str, str]:
        """Pictures that could not be read, id -> reason; the same for all defenses."""

    @property
    def locations(self) -> tuple[Path, ...]:
        """Files and folders with the pictures and what is known of them: no attack may have them among its files."""
        return ()

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Return the ids of the readable pictures in their order, without reading pixels."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def __len__(self) -> int:
        return len(self.ids())

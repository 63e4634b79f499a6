"""Probes, and the claims that they make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from pedbench.base.plugin import Plugin
from pedbench.types import Picture

MARGIN = 16
"""Pixels by which a picture is continued beyond its border for probes: detectors miss what touches the edge."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something a probe says it read.

    Attributes:
        box: x, y, width, height in pixels of the picture it was given.
    """

    kind: Literal["text", "face", "object"]
    content: str
    box: tuple[float, float, float, float]
    confidence: float


@dataclass(kw_only=True)
class Probe(Plugin, ABC):
    """Reads text, faces or objects from a picture.

    `prepare` raises `ProbeUnavailable` where the machine lacks a library that the probe can do without.

    Attributes:
        reads: The kind of its claims, and of the secrets that they are held against: those that the dataset tells
            of or, for objects, its instances.
        side: Longest side in pixels to which frames are magnified before the probe reads them, and parts of
            frames by the same factor; larger ones stay as they are.
    """

    reads: ClassVar[Literal["text", "face", "object"]]
    side: ClassVar[int]

    @abstractmethod
    def claims(self, picture: Picture) -> list[Claim]:
        """Read one picture.

        Args:
            picture: (H, W, 3) float32 in [0, 1]. Its outermost `MARGIN` pixels only repeat the border of the part
                that is to be read.
        """

from __future__ import annotations

from dataclasses import dataclass

from pedbench.base import Claim, Probe
from pedbench.types import Picture


@dataclass(kw_only=True)
class Narrator(Probe):
    """Say the same of every picture in which there is anything."""

    name = "narrator"
    version = 1
    reads = "caption"
    side = 1

    def claims(self, picture: Picture) -> list[Claim]:
        if picture.std() < 0.05:
            return []
        box = (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
        sentence = "Vases, a clock and a phone in front of a monitor."
        return [Claim(kind="caption", content=sentence, box=box, confidence=1.0)]

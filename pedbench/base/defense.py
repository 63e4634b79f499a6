"""Defenses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from pedbench.base.edge_and_cloud import Cloud, Edge, Embedding
from pedbench.base.plugin import Plugin
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture

Disclosure = Literal["nothing", "exact", "degraded", "decoy"]


@dataclass(kw_only=True)
class Defense(Plugin, ABC):
    """A way to embed a picture with the help of untrusted servers.

    Attributes:
        disclosure: What the servers get, which the harness verifies on every picture:
            "nothing" no message at all; "exact" pixels (or tokens) of the frame as they are, each at its
            place; "degraded" pixels changed on purpose, all of which count as hidden and are attacked as
            such; "decoy" payloads that do not depend on the picture at all.
        control: "whole picture" if one server gets every frame as it is, so that a sound harness finds a
            leakage of 1; "mixed tokens" if servers get tokens that tell of pixels which they never received.
            Defenses that send nothing, or decoys, are controls without saying so.
        shuffles: Whether payloads state other places than those where their content belongs.
        shares_windows: Whether the embedding is made of tokens that servers return by `cloud.encode_windows`, so that
            a suite can let them lie and spot checks find them.
    """

    disclosure: ClassVar[Disclosure]
    control: ClassVar[Literal["", "whole picture", "mixed tokens"]] = ""
    shuffles: ClassVar[bool] = False
    shares_windows: ClassVar[bool] = False

    @property
    def undefended(self) -> bool:
        """Whether this is the model as it is, which retention compares with."""
        return False

    @property
    def servers(self) -> int:
        """Number of servers that the defense calls."""
        return 1

    @property
    def codecs(self) -> tuple[str, ...]:
        """Labels of the codecs that write its messages, whose versions its measurements' identity depends on."""
        return ()

    @property
    def networks(self) -> tuple[str, ...]:
        """Weights of the networks that the defense runs, which its measurements' identity depends on.

        By default those that the parameter `weights` names.
        """
        weights = self.params.get("weights")
        return (weights,) if weights else ()

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        """Return the largest share of the frame's pixels that one server may receive for one request.

        The cloud refuses to send more, and what was received is checked against it.

        Args:
            frame: Height and width of the frame.
            grid: The window grid of the family's networks.
        """
        return 1.0

    @property
    def randomised(self) -> bool:
        """Whether the same picture is treated differently from request to request."""
        return False

    @abstractmethod
    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        """Embed one frame.

        Args:
            frame: (H, W, 3) float32 in [0, 1], every value a multiple of 1/255, longest side as the
                model wants it, not padded. Read-only: change a copy.
            edge: Runs parts of the model here; carries `edge.rng` and `edge.request`.
            cloud: The servers; `len(cloud) == self.servers`.
        """

"""The edge and the cloud, as a defense is given them, and the embedding that it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pedbench.base.mask_decoder import MaskDecoder
from pedbench.base.operation import Networks
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Assignment, Payload, Picture, Window

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Embedding:
    """The encoder's output and the network whose decoder understands it.

    Attributes:
        features: (1, C, h, w) image embedding on the edge.
        network: The `segment_anything.modeling.Sam` whose prompt encoder and mask decoder read it, or another
            network with `decoder`.
        decoder: Decoder of the embedding if the network is no `Sam`.
    """

    features: torch.Tensor
    network: Any
    decoder: MaskDecoder | None = None


class Edge(Protocol):
    """The trusted device, for the length of one pass: it runs the parts of the model that stay at home."""

    @property
    def networks(self) -> Networks:
        """The edge's models."""

    @property
    def rng(self) -> np.random.Generator:
        """The request's generator; all randomness of a defense comes from it."""

    @property
    def request(self) -> int:
        """Number of this request among the k requests of the scene."""

    def grid(self, weights: str) -> WindowGrid:
        """Return the window grid of a network; `grid.active(frame.shape[:2])` are its windows with content."""

    def encode_image(self, frame: Picture, weights: str = "original") -> Embedding:
        """Run the whole image encoder here, on the same 8-bit pixels that a server would get."""

    def finish(self, tokens: torch.Tensor, weights: str) -> Embedding:
        """Run the global blocks and the neck.

        Args:
            tokens: (1, h, w, C) from the window stage.
            weights: The network whose window stage it was.
        """

    def preparing(self) -> AbstractContextManager[None]:
        """Attribute what happens inside to the phase `prepare`: making the payload."""


class Reply(Protocol):
    """A reply that is under way."""

    @property
    def server(self) -> int:
        """Index of the server that was called."""

    def result(self) -> Payload:
        """Wait for the reply.

        Raises:
            ServerLost: The server is gone, or missed the deadline.
            RemoteError: The operation failed on the server.
            WireError: The reply is not what the operation declares.
        """

    def tensor(self, name: str, dtype: torch.dtype | None, device: torch.device) -> torch.Tensor:
        """Wait for the reply, and convert one of its arrays without a copy of the whole in the dtype that was sent.

        Args:
            name: Name of the array.
            dtype: Dtype of the result; None for the one that was sent.
            device: Device of the result.

        Raises:
            ServerLost: The server is gone, or missed the deadline.
            RemoteError: The operation failed on the server.
            WireError: The reply is not what the operation declares.
        """


class ServerHandle(Protocol):
    """One server of a cloud."""

    def call(
        self, operation: str, *, arguments: Mapping[str, str] | None = None, **tensors: npt.NDArray[Any]
    ) -> Reply:
        """Send a payload; `result()` waits for the reply.

        Args:
            operation: Name of the operation.
            arguments: All its declared string arguments.
            tensors: All its declared arrays.

        Raises:
            WireError: The call is not what the operation declares.
        """

    def encode_image(
        self, frame: Picture, weights: str = "original", reply: str = "float32", payload: str = "pixels"
    ) -> Embedding:
        """Let the server run the whole image encoder.

        Args:
            frame: (H, W, 3) in [0, 1]; rounded to 8 bits.
            weights: Which network.
            reply: How the embedding comes back, `float32`, `float16` or a codec for these.
            payload: How the frame travels, `pixels` as they are or a codec for them.
        """


class Cloud(Protocol):
    """The servers of one pass over one frame."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> ServerHandle: ...

    def encode_windows(
        self,
        frame: Picture,
        assignment: Assignment,
        *,
        home: Sequence[Window] = (),
        weights: str = "fine-tuned",
        payload: str = "pixels",
        reply: str = "float32",
        chunk: int = 0,
    ) -> torch.Tensor:
        """Run the window stage on the servers: stream every server its windows, gather the tokens as they come.

        Windows that hold nothing of the frame are the same for every picture; the edge knows them itself.

        Args:
            frame: (H, W, 3) in [0, 1]; rounded to 8 bits.
            assignment: Per server its windows. With those at home they must hold the frame; a server without
                windows gets no message.
            home: Windows that no server gets: the edge runs the window stage on them, while servers compute.
            weights: Which network; its window blocks must come first.
            payload: `pixels` (uint8) or a codec for them, or tokens after the patch embedding as `tokens16` or
                `tokens32`.
            reply: How tokens come back, `float32`, `float16` or a codec for these.
            chunk: Windows in a message, so that a server computes some while others are under way; 0 for all of a
                server's in one. Without a lossy codec, which writes each message by itself, tokens do not depend
                on it.

        Returns:
            (1, h, w, C) tokens, as the global stage takes them.

        Raises:
            DisclosureError: A server would get more of the frame than the defense may give; nothing was sent.
            ValueError: The assignment does not fit the frame or the cloud.
            ServerLost: A server does not answer, and lost windows fail the pass.
            IntegrityError: The same of one that returned other tokens than were computed here.
        """

    def give(self, pixels: Mapping[int, int]) -> None:
        """Refuse a plan by which servers would get so many more pixels, before any of its messages is sent.

        Raises:
            DisclosureError: One would then have more than it may.
        """

    def send(
        self, payloads: Mapping[int, Payload], operation: str, arguments: Mapping[str, str]
    ) -> Mapping[int, Reply]:
        """Send one payload to each of several servers at once.

        Args:
            payloads: By server.
            operation: Name of the operation.
            arguments: All its declared string arguments.

        Raises:
            DisclosureError: A server would get more of the frame than it may; nothing was sent.
            WireError: A call is not what the operation declares.
            ValueError: Unknown operation.
        """

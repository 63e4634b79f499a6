"""What a way of encoding a frame sends: which windows go where, and the messages for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pedbench.latency.advice.message_sizes import Message, frame_message, window_message
from pedbench.models.sam.architectures import Architecture
from pedbench.offload.operations.tiles import Bytes
from pedbench.offload.passes.assignment import assign, largest_share
from pedbench.types import Window

_ASSIGNMENT = "dispersed"


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The messages of one pass, whatever computes them and whatever carries them.

    Attributes:
        defense: Name of the defense.
        payload: How pixels travel.
        reply: How tokens come back.
        parts: Windows by server; a server without any encodes the whole frame.
        messages: By server.
        share: Of the frame's pixels that the server with the most of them sees.
    """

    defense: str
    payload: str
    reply: str
    parts: tuple[tuple[Window, ...], ...]
    messages: tuple[Message, ...]
    share: float

    @property
    def bytes_up(self) -> int:
        """Of all messages."""
        return sum(message.bytes_up for message in self.messages)

    @property
    def bytes_down(self) -> int:
        """Of all replies."""
        return sum(message.bytes_down for message in self.messages)


NO_TRAFFIC = Traffic(defense="on_device", payload="", reply="", parts=(), messages=(), share=0.0)
"""Of the encoder on the edge."""


def whole_frame(of: Architecture, pixels: Bytes, payload: str, reply: str) -> Traffic:
    """Of the encoder on one server; with a codec for the picture this is what the defense `jpeg` does.

    Args:
        of: The network.
        pixels: (H, W, 3) frame.
        payload: `pixels` or a codec for them.
        reply: `float32`, `float16` or a codec for tokens.
    """
    message = frame_message(of, pixels, payload, reply)
    return Traffic(
        defense="full_offload", payload=payload, reply=reply, parts=((),), messages=(message,), share=1.0
    )


def split_frame(of: Architecture, pixels: Bytes, servers: int, payload: str, reply: str) -> Traffic:
    """Of the window stage on several servers, dealt by `dispersed`; arguments as above."""
    frame = pixels.shape[0], pixels.shape[1]
    dealt = assign(_ASSIGNMENT, of.grid.active(frame), servers, np.random.default_rng(0))
    parts = tuple(dealt.values())
    messages = tuple(
        window_message(of, pixels, windows, payload, reply, number) for number, windows in enumerate(parts)
    )
    share = largest_share(_ASSIGNMENT, servers, frame, of.grid)
    return Traffic(
        defense="ped_sam", payload=payload, reply=reply, parts=parts, messages=messages, share=share
    )

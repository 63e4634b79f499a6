"""What a device could do with a frame over a link: keep it, send it to one server, or split it among several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from pedbench.latency.devices import Device
from pedbench.latency.messages import Message, frame_message, window_message
from pedbench.latency.projection import Job, compose
from pedbench.links import Link
from pedbench.models.architectures import Architecture
from pedbench.offload.assignment import assign, largest_share
from pedbench.offload.tiles import Bytes
from pedbench.offload.timing import PassTimes

COUNTS = (1, 2, 3, 5, 9, 13, 25)
"""Numbers of servers that are compared."""

FORMS = (("pixels", "float32"), ("pixels", "float16"), ("jpeg(quality=90)", "quantised(bits=6)"))
"""Payload and reply that are compared."""

_ASSIGNMENT = "dispersed"
_DRAWS = 21


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a frame is encoded.

    Attributes:
        of: The network.
        edge: The device that has the frame.
        server: What each server is, all alike.
        link: The edge's link, which servers share.
    """

    of: Architecture
    edge: Device
    server: Device
    link: Link


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One way to encode the frame, with its projected times.

    Attributes:
        defense: Name of the defense.
        servers: How many it calls.
        payload: How pixels travel; empty where nothing does.
        reply: How tokens come back; likewise.
        times: Of the median pass over the link's jitter, by phase.
        bytes_up: Of all messages.
        bytes_down: Of all replies.
        share: Of the frame's pixels that the server with the most of them sees.
    """

    defense: str
    servers: int
    payload: str
    reply: str
    times: PassTimes
    bytes_up: int
    bytes_down: int
    share: float


def on_device(setting: Setting) -> Offer:
    """The whole encoder on the edge."""
    times = compose([], setting.link, edge=setting.edge.encoder(setting.of))
    return Offer(
        defense="on_device", servers=0, payload="", reply="", times=times, bytes_up=0, bytes_down=0, share=0.0
    )


def full_offload(setting: Setting, pixels: Bytes, payload: str, reply: str) -> Offer:
    """The whole encoder on one server.

    Args:
        setting: Where.
        pixels: (H, W, 3) frame.
        payload: `pixels` or a codec for them.
        reply: `float32`, `float16` or a codec for tokens.
    """
    message = frame_message(setting.of, pixels, payload, reply)
    computing = [setting.server.encoder(setting.of)]
    return _offer("full_offload", setting, [message], computing, 0.0, payload, reply, 1.0)


def ped_sam(setting: Setting, pixels: Bytes, servers: int, payload: str, reply: str) -> Offer:
    """The window stage on several servers, the global blocks on the edge; arguments as above."""
    of, frame = setting.of, (pixels.shape[0], pixels.shape[1])
    parts = assign(_ASSIGNMENT, of.grid.active(frame), servers, np.random.default_rng(0)).values()
    messages = [
        window_message(of, pixels, windows, payload, reply, number) for number, windows in enumerate(parts)
    ]
    computing = [setting.server.window_stage(of, windows) for windows in parts]
    share = largest_share(_ASSIGNMENT, servers, frame, of.grid)
    edge = setting.edge.global_stage(of)
    return _offer("ped_sam", setting, messages, computing, edge, payload, reply, share)


def offers(
    setting: Setting,
    pixels: Bytes,
    counts: Sequence[int] = COUNTS,
    forms: Sequence[tuple[str, str]] = FORMS,
) -> list[Offer]:
    """Everything that is compared: of each way the fastest form, the fastest way first.

    Args:
        setting: Where.
        pixels: (H, W, 3) frame.
        counts: Numbers of servers of `ped_sam`.
        forms: Payload and reply of the messages.
    """

    def each() -> Iterator[Offer]:
        yield on_device(setting)
        yield _fastest([full_offload(setting, pixels, *form) for form in forms])
        for count in counts:
            yield _fastest([ped_sam(setting, pixels, count, *form) for form in forms])

    return sorted(each(), key=lambda offer: offer.times.total)


def _fastest(given: Sequence[Offer]) -> Offer:
    return min(given, key=lambda offer: offer.times.total)


def _offer(
    defense: str,
    setting: Setting,
    messages: Sequence[Message],
    computing: Sequence[float],
    edge: float,
    payload: str,
    reply: str,
    share: float,
) -> Offer:
    jobs = [
        Job(
            bytes_up=message.bytes_up,
            bytes_down=message.bytes_down,
            compute=message.server_reads + seconds + message.server_writes,
        )
        for message, seconds in zip(messages, computing, strict=True)
    ]
    prepare = sum(message.edge_writes for message in messages)
    edge += sum(message.edge_reads for message in messages)
    drawn = [compose(jobs, setting.link, prepare=prepare, edge=edge, seed=seed) for seed in range(_DRAWS)]
    middle = median(times.total for times in drawn)
    return Offer(
        defense=defense,
        servers=len(jobs),
        payload=payload,
        reply=reply,
        times=next(times for times in drawn if times.total == middle),
        bytes_up=sum(message.bytes_up for message in messages),
        bytes_down=sum(message.bytes_down for message in messages),
        share=share,
    )

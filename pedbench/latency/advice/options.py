"""What a device could do with a frame over a link: keep it, send it to one server, or split it among several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from pedbench.latency.advice.traffic import NO_TRAFFIC, Traffic, split_frame, whole_frame
from pedbench.latency.devices import Device
from pedbench.latency.projection import Job, compose
from pedbench.models.sam.architectures import Architecture
from pedbench.network.links import Link
from pedbench.offload.operations.tiles import Bytes
from pedbench.offload.passes.timing import PassTimes

COUNTS = (1, 2, 3, 5, 9, 13, 25)
"""Numbers of servers that are compared."""

FORMS = (("pixels", "float32"), ("pixels", "float16"), ("jpeg(quality=90)", "quantised(bits=6)"))
"""Payload and reply that are compared."""

_DRAWS = 21


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a frame is encoded.

    Attributes:
        of: The network.
        edge: The device that has the frame.
        server: What each server is, all alike.
        link: The edge's link, which servers share.
        writing: How many times as long as on this host messages take to write and to read; 0 leaves it out.
    """

    of: Architecture
    edge: Device
    server: Device
    link: Link
    writing: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One way to encode the frame.

    Attributes:
        traffic: What it sends.
        times: Projected, of the median pass over the link's jitter, by phase.
    """

    traffic: Traffic
    times: PassTimes

    @property
    def servers(self) -> int:
        """How many servers get something."""
        return len(self.traffic.parts)

    @property
    def seconds(self) -> float:
        """Projected, in all."""
        return self.times.total


def offer(setting: Setting, traffic: Traffic) -> Offer:
    """Project one way to encode the frame."""
    of, writing = setting.of, setting.writing
    jobs = [
        Job(
            bytes_up=message.bytes_up,
            bytes_down=message.bytes_down,
            compute=(setting.server.window_stage(of, windows) if windows else setting.server.encoder(of))
            + writing * (message.server_reads + message.server_writes),
        )
        for message, windows in zip(traffic.messages, traffic.parts, strict=True)
    ]
    prepare = writing * sum(message.edge_writes for message in traffic.messages)
    edge = _on_edge(setting, traffic) + writing * sum(message.edge_reads for message in traffic.messages)
    drawn = [compose(jobs, setting.link, prepare=prepare, edge=edge, seed=seed) for seed in range(_DRAWS)]
    middle = median(times.total for times in drawn)
    return Offer(traffic=traffic, times=next(times for times in drawn if times.total == middle))


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

    def fastest(ways: Iterator[Traffic]) -> Offer:
        return min((offer(setting, each) for each in ways), key=lambda found: found.seconds)

    of = setting.of
    found = [offer(setting, NO_TRAFFIC), fastest(whole_frame(of, pixels, *form) for form in forms)]
    found += [fastest(split_frame(of, pixels, count, *form) for form in forms) for count in counts]
    return sorted(found, key=lambda each: each.seconds)


def _on_edge(setting: Setting, traffic: Traffic) -> float:
    """Seconds of the edge's part of the model."""
    if not traffic.parts:
        return setting.edge.encoder(setting.of)
    return setting.edge.global_stage(setting.of) if all(traffic.parts) else 0.0

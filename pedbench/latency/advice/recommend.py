"""Which way of encoding a frame to take, said with what it shows beside what it takes."""

from __future__ import annotations

from collections.abc import Sequence

from pedbench.latency.advice.options import Offer
from pedbench.report.words.text import quantity

NEAR = 1.1
"""Splits up to this many times as slow as the fastest count as fast as it: the one that shows least is taken."""


def recommended_split(found: Sequence[Offer]) -> Offer:
    """Of the splits among servers that take next to no longer than the fastest, the one that shows a server least.

    Raises:
        ValueError: No offer splits the frame.
    """
    splits = [offer for offer in found if offer.servers > 1]
    if not splits:
        raise ValueError("none of these ways splits the frame among several servers")
    fastest = min(offer.seconds for offer in splits)
    near = [offer for offer in splits if offer.seconds <= NEAR * fastest]
    return min(near, key=lambda offer: (offer.traffic.share, offer.seconds))


def advise(found: Sequence[Offer]) -> str:
    """One way, and what the others would take and show.

    Args:
        found: Of `offers`: on_device, full_offload and splits.
    """
    kept, whole = (
        next(each for each in found if each.traffic.defense == name) for name in ("on_device", "full_offload")
    )
    split = recommended_split(found)
    takes = {offer.traffic.defense: quantity(offer.seconds, "s") for offer in (kept, whole, split)}
    everything = f"full_offload would take {takes['full_offload']} and show its server the whole frame"
    if kept.seconds <= split.seconds:
        return (
            f"Keep the frame: on_device is projected to take {takes['on_device']} and shows nobody anything; "
            f"ped_sam with {split.servers} servers would take {takes['ped_sam']}; {everything}."
        )
    return (
        f"Take ped_sam with {split.servers} servers: it is projected to take {takes['ped_sam']}, and no server alone "
        f"sees more than {split.traffic.share:.1%} of the frame, though all of them together see all of it; "
        f"{everything}, on_device {takes['on_device']} and show nobody anything."
    )

"""Views: what a coalition of servers holds, and how much of the frame that is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Disclosure
from pedbench.offload.operations.observation import Observation
from pedbench.types import MessageFacts, Prior, View


def build_view(
    observations: Iterable[Observation],
    coalition: Collection[int],
    *,
    frame_size: tuple[int, int],
    disclosure: Disclosure,
    description: Mapping[str, Any],
    prior: Prior,
    moves: bool = False,
) -> View:
    """Pool what some servers received.

    Args:
        observations: Everything received, of one request or of several.
        coalition: Indices of the servers that pool.
        frame_size: Height and width of the frame.
        disclosure: What the defense says its pixels are; those that a codec changed are degraded in any case.
        description: The public description of the defense.
        prior: The attacker's knowledge of pictures in general.
        moves: Whether the camera moves from request to request.
    """
    held = [observation for observation in observations if observation.message.server in coalition]
    exact, degraded = (
        tuple(
            patch
            for observation in held
            if (observation.lossy or disclosure == "degraded") is changed
            for patch in observation.patches
        )
        for changed in (False, True)
    )
    return View(
        frame_size=frame_size,
        patches=exact,
        degraded=degraded,
        tokens=tuple(tokens for observation in held for tokens in observation.tokens),
        messages=tuple(
            MessageFacts(
                server=message.server,
                request=message.request,
                sequence=message.sequence,
                operation=message.operation,
                bytes_in=message.bytes_in,
                bytes_out=message.bytes_out,
                received=message.received,
                arguments=dict(message.arguments),
            )
            for message in (observation.message for observation in held)
        ),
        description=description,
        prior=prior,
        moves=moves,
    )


def footprints(
    observations: Iterable[Observation], servers: int, frame: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """The pixels that each server's content belongs to, exact or not; all where bytes are unexplained.

    Returns:
        (servers, H, W) bool.
    """
    covered = np.zeros((servers, *frame), np.bool_)
    for observation in observations:
        server = observation.message.server
        covered[server] |= True if observation.problem else observation.footprint(frame)
    return covered


def content_shares(covered: npt.NDArray[np.bool_]) -> list[float]:
    """Per server the share of the frame's pixels that it received, exact or degraded; from `footprints`."""
    return [float(pixels.mean()) for pixels in covered]

"""From wiretaps to views: what a coalition of servers holds, and how much of the frame that is."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.base import Disclosure, Networks, Operation
from pedbench.models.sam.stages import window_grid
from pedbench.offload.wire.codec_labels import lossy
from pedbench.types import Mask, MessageFacts, Patch, Prior, Received, Tokens, View

# Own operations may carry sizes and places beside content: so many bytes other than zero.
_PATCH_PLACE, _TOKEN_PLACE, _MESSAGE = 8, 4, 64
_MOST_SUBSETS = 5000


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One received message as pixels and tokens.

    Attributes:
        problem: Why it counts as the whole frame; empty if the schema and the operation explain all of it.
        lossy: Whether a codec left its pixels other than they were.
        patch_size: Side in pixels of the patch that one token stands for.
    """

    message: Received
    patches: tuple[Patch, ...] = ()
    tokens: tuple[Tokens, ...] = ()
    problem: str = ""
    patch_size: int = 1
    lossy: bool = False

    def footprint(self, frame: tuple[int, int]) -> Mask:
        """The pixels of a frame of size (H, W) that the content belongs to, exact or not."""
        covered = np.zeros(frame, np.bool_)
        for patch in self.patches:
            height, width = patch.picture.shape[:2]
            covered[patch.top : patch.top + height, patch.left : patch.left + width] = True
        side = self.patch_size
        for row, column in {tuple(place) for tokens in self.tokens for place in tokens.positions.tolist()}:
            covered[row * side : (row + 1) * side, column * side : (column + 1) * side] = True
        return covered


def observe(
    received: Iterable[Received],
    operations: Mapping[str, Operation],
    networks: Networks,
    frame: tuple[int, int],
) -> tuple[Observation, ...]:
    """Look at every received message as its operation says it can be looked at. Fails closed.

    Args:
        received: The wiretaps.
        operations: The known operations by name.
        networks: The public models.
        frame: Height and width of the frame.
    """
    return tuple(_observe(message, operations, networks, frame) for message in received)


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


def coalitions(covered: npt.NDArray[np.bool_], c: int, m: int) -> tuple[tuple[int, ...], ...]:
    """The m coalitions of c servers that together hold the largest part of the frame.

    All subsets are compared where they are few. Otherwise coalitions are grown from each of the largest
    servers in turn, always adding the server that brings most.

    Args:
        covered: (servers, H, W), from `footprints`.
        c: Servers in a coalition; all of them where there are fewer.
        m: How many coalitions.

    Returns:
        Ascending indices, the largest coalition first; ties go to the lower indices. Without servers, the
        empty one.
    """
    if c < 1 or m < 1:
        raise ValueError(f"expected at least one coalition of at least one server, found c={c}, m={m}")
    servers = len(covered)
    flat = covered.reshape(servers, math.prod(covered.shape[1:]))
    c = min(c, servers)
    if math.comb(servers, c) <= _MOST_SUBSETS:
        subsets = set(combinations(range(servers), c))
    else:
        sizes = flat.sum(axis=1)
        starts = sorted(range(servers), key=lambda server: (-sizes[server], server))
        grown = (_grow(flat, start, c) for start in starts)
        subsets = set(islice(dict.fromkeys(grown), m))
    return tuple(sorted(subsets, key=lambda subset: (-int(flat[list(subset)].any(axis=0).sum()), subset))[:m])


def _grow(flat: npt.NDArray[np.bool_], start: int, c: int) -> tuple[int, ...]:
    chosen = [start]
    held = flat[start].copy()
    while len(chosen) < c:
        gains = (flat & ~held).sum(axis=1)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        held |= flat[chosen[-1]]
    return tuple(sorted(chosen))


def _observe(
    message: Received, operations: Mapping[str, Operation], networks: Networks, frame: tuple[int, int]
) -> Observation:
    if message.unexplained or message.payload is None:
        return Observation(message=message, problem=message.unexplained or "no payload")
    operation = operations[message.operation]
    try:
        seen = operation.observe(
            message.payload, message.arguments, networks, message.server, message.request
        )
    # Code of a plugin: however it fails, it has not explained the bytes.
    except Exception as error:
        return Observation(message=message, problem=f"{message.operation} cannot be observed: {error}")
    if seen is None:
        return Observation(message=message, problem=f"{message.operation} cannot show its payload as pixels")
    patches = tuple(item for item in seen if isinstance(item, Patch))
    tokens = tuple(item for item in seen if isinstance(item, Tokens))
    return Observation(
        message=message,
        patches=patches,
        tokens=tokens,
        problem=_unexplained(message, operation, patches, tokens, frame),
        patch_size=_patch_size(message, networks) if tokens else 1,
        lossy=lossy(message.codecs),
    )


def _unexplained(
    message: Received,
    operation: Operation,
    patches: Sequence[Patch],
    tokens: Sequence[Tokens],
    frame: tuple[int, int],
) -> str:
    """Why what was observed cannot be all that was received; empty if it can."""
    for patch in patches:
        bottom, right = patch.top + patch.picture.shape[0], patch.left + patch.picture.shape[1]
        if min(patch.top, patch.left) < 0 or bottom > frame[0] or right > frame[1]:
            return (
                f"a patch at row {patch.top}, column {patch.left} reaches beyond the frame of {frame} pixels"
            )
    if type(operation).__module__.startswith("pedbench.offload.operations."):
        return ""
    explained = sum(map(_shown, patches)) + sum(held.values.nbytes for held in tokens)
    beside = _PATCH_PLACE * len(patches) + _TOKEN_PLACE * sum(len(held.positions) for held in tokens)
    found = sum(
        np.count_nonzero(np.frombuffer(array.tobytes(), np.uint8))
        for array in (message.payload or {}).values()
    )
    if found > explained + beside + _MESSAGE:
        return f"{message.operation} carries {found} bytes and shows {explained} of them"
    return ""


def _shown(patch: Patch) -> int:
    """Bytes that a patch's picture tells: one a value where all are levels of 8 bits."""
    levels = patch.picture * np.float32(255)
    return patch.picture.size if np.abs(levels - np.rint(levels)).max() < 1e-3 else patch.picture.nbytes


def _patch_size(message: Received, networks: Networks) -> int:
    return window_grid(networks.network(message.arguments.get("weights", "original")).image_encoder).patch

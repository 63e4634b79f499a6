"""Audit of whether servers received what a defense says they do: on the trusted side, failing closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pedbench.base import Defense, Networks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.blocks import StartWindows
from pedbench.offload.operations.builtin import EncodeWindows
from pedbench.offload.operations.observation import Observation
from pedbench.offload.operations.payload_fields import places
from pedbench.offload.operations.tiles import Bytes, cut_tiles
from pedbench.offload.wire.codec_labels import code, decode
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.privacy.token_audit import TOKEN_OPERATIONS, TokenAudit
from pedbench.types import Mask, Picture, Received

_TELLING = (EncodeWindows.name, StartWindows.name, *TOKEN_OPERATIONS)
"""Operations that are told the frame's size, which says nothing only if it is true."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Result of checking a defense's claims on one frame.

    Attributes:
        whole_visible: Why the whole frame counts as visible: bytes that nothing explains. Empty if all are.
        invalid: Why the pass does not count: the defense does other than it says. Empty if it keeps its word.
    """

    whole_visible: tuple[str, ...]
    invalid: tuple[str, ...]


def audit(
    observations: Sequence[Observation],
    truth: Picture,
    defense: Defense,
    networks: Networks,
    streamed: Collection[tuple[int, int]],
) -> Audit:
    """Check one pass.

    Args:
        observations: Everything that its servers received.
        truth: The frame.
        defense: What was run.
        networks: The public models.
        streamed: From the pass: which tokens the harness made itself.
    """
    frame = truth.shape[:2]
    whole = [f"server {seen.message.server}: {seen.problem}" for seen in observations if seen.problem]
    invalid = []
    strangers = {seen.message.server for seen in observations} - set(range(defense.servers))
    if strangers:
        invalid.append(f"messages to servers {sorted(strangers)}, declared are {defense.servers}")
    if defense.disclosure == "nothing" and observations:
        invalid.append(f"declared that nothing is sent, found {len(observations)} messages")
    pixels = to_uint8(truth)
    tokens = TokenAudit(truth=pixels, networks=networks, streamed=streamed)
    for seen in observations:
        found = _told_otherwise(seen, frame)
        if defense.disclosure == "exact" and not found:
            found += _differences(seen, pixels, tokens)
        invalid += [f"server {seen.message.server}: {why}" for why in found]
    grid = window_grid(networks.network("original").image_encoder)
    bound = defense.max_share(frame, grid)
    for server, share in _shares(observations, frame, streamed).items():
        if share > bound + 0.5 / truth[..., 0].size:
            invalid.append(
                f"server {server} received {share:.1%} of the frame, declared is at most {bound:.1%}"
            )
    return Audit(whole_visible=tuple(dict.fromkeys(whole)), invalid=tuple(dict.fromkeys(invalid)))


def same_messages(
    first: Iterable[Received], second: Iterable[Received], servers: Collection[int] | None = None
) -> str:
    """Compare two passes with the same generator over different pictures of one size.

    Servers whose messages are the same in both learnt nothing of what differs between the pictures. For
    a decoy the pictures have nothing in common; for windows that must not mix, all pixels but one server's
    are replaced.

    Args:
        first: Received in one pass.
        second: Received in the other.
        servers: Compare these alone; all by default.

    Returns:
        Where they differ; empty if they do not.
    """

    def content(messages: Iterable[Received]) -> list[tuple[object, ...]]:
        return [
            (
                message.server,
                message.sequence,
                message.operation,
                sorted(message.arguments.items()),
                message.unexplained,
                {
                    name: (array.dtype.str, array.shape, array.tobytes())
                    for name, array in message.payload.items()
                }
                if message.payload is not None
                else message.bytes_in,
            )
            for message in messages
            if servers is None or message.server in servers
        ]

    one, other = content(first), content(second)
    if len(one) != len(other):
        return f"{len(one)} messages against {len(other)}"
    differing = [left[:3] for left, right in zip(one, other, strict=True) if left != right]
    if not differing:
        return ""
    server, sequence, operation = differing[0]
    return (
        f"{len(differing)} of {len(one)} messages differ, first {operation} to server {server} ({sequence})"
    )


def _told_otherwise(seen: Observation, frame: tuple[int, ...]) -> list[str]:
    message = seen.message
    if seen.problem or message.payload is None or message.operation not in _TELLING:
        return []
    told = tuple(message.payload["frame"].tolist())
    return [f"was told a frame of {told} pixels instead of {frame}"] if told != frame else []


def _differences(seen: Observation, truth: Bytes, tokens: TokenAudit) -> Iterator[str]:
    """Return where a message differs from what the frame has at its place, in the last bit too."""
    message = seen.message
    if seen.problem or message.payload is None:
        return
    if seen.tokens or message.operation in TOKEN_OPERATIONS:
        yield from tokens.differences(message, message.payload)
        return
    if seen.lossy:
        if not np.array_equal(message.payload["pixels"], _coded(message, truth, tokens.networks)):
            yield "received other pixels than what its codec leaves of the frame's"
        return
    for patch in seen.patches:
        if not np.array_equal(patch.picture, from_uint8(truth[patch.slices])):
            yield (
                f"received other pixels than the frame's at row {patch.top}, column {patch.left}: "
                "low bits, or another place"
            )


def _coded(message: Received, truth: Bytes, networks: Networks) -> Bytes:
    """Return what the codec of a message leaves of the frame's pixels in it."""
    payload = message.payload or {}
    pixels = truth
    if "positions" in payload:
        grid = window_grid(networks.network(message.arguments["weights"]).image_encoder)
        pixels = cut_tiles(truth, places(payload, grid)[0], grid)
    left: Bytes = decode(code(pixels, message.codecs["pixels"]))
    return left


def _shares(
    observations: Sequence[Observation], frame: tuple[int, int], streamed: Collection[tuple[int, int]]
) -> dict[int, float]:
    """Per server its content over the frame's pixels; a place counts anew when it carries something new.

    Deeper tokens that the harness made of places that the server has already are nothing new: what they say of
    other places is not a matter of geometry, and attacks have to find it.
    """
    contents: dict[int, dict[object, float]] = {}
    pixels, deeper = (defaultdict[int, Mask](lambda: np.zeros(frame, np.bool_)) for _ in range(2))
    for seen in observations:
        if seen.problem:
            continue
        server, footprint = seen.message.server, seen.footprint(frame)
        parts = contents.setdefault(server, {})
        for patch in seen.patches:
            key = (patch.request, patch.top, patch.left, patch.picture.shape, patch.picture.tobytes())
            parts[key] = patch.picture[..., 0].size / (frame[0] * frame[1])
        mixed = all(tokens.depth > 0 for tokens in seen.tokens)
        if seen.tokens and mixed and (server, seen.message.sequence) in streamed:
            deeper[server] |= footprint
        else:
            pixels[server] |= footprint
            if seen.tokens:
                parts[seen.message.sequence] = float(footprint.mean())
    return {
        server: sum(parts.values()) + float((deeper[server] & ~pixels[server]).mean())
        for server, parts in contents.items()
    }

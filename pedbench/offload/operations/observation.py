"""Received messages as pixels and tokens, and the check that these explain all bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pedbench.base import Networks, Operation
from pedbench.errors import plugin_line
from pedbench.models.sam.stages import window_grid
from pedbench.offload.wire.codec_labels import lossy
from pedbench.pictures.frame import check_picture
from pedbench.types import Mask, Patch, Received, Tokens

# Plugins' own operations may carry sizes and positions besides content: nonzero bytes per patch, token and message.
_PATCH_PLACE, _TOKEN_PLACE, _MESSAGE = 8, 4, 64


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A received message as pixels and tokens.

    Attributes:
        problem: Reason for which it counts as the whole frame; "" if the schema and the operation explain all bytes.
        patch_size: Side in pixels of the patch of one token.
        lossy: Whether a lossy codec encoded its pixels.
        built_in: Whether the operation is pedbench's own, and its content not judged by a plugin's author.
    """

    message: Received
    patches: tuple[Patch, ...] = ()
    tokens: tuple[Tokens, ...] = ()
    problem: str = ""
    patch_size: int = 1
    lossy: bool = False
    built_in: bool = True

    def footprint(self, frame: tuple[int, int]) -> Mask:
        """Return the (H, W) mask of the frame's pixels that the content covers, exact or not."""
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
    """Show each received message as pixels and tokens, by its operation's `observe`.

    Args:
        received: All messages that servers received.
        operations: The known operations by name.
        networks: The public models.
        frame: Height and width of the frame in pixels.
    """
    return tuple(_observe(message, operations, networks, frame) for message in received)


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
        patches = tuple(item for item in seen or () if isinstance(item, Patch))
        tokens = tuple(item for item in seen or () if isinstance(item, Tokens))
        for patch in patches:
            _check_patch(patch, frame)
        for each in tokens:
            if each.values.ndim != 2 or each.positions.shape != (len(each.values), 2):
                shapes = f"values of shape {each.values.shape} and positions of shape {each.positions.shape}"
                raise ValueError(f"expected tokens with values (n, C) and positions (n, 2), found {shapes}")
    # A plugin can raise anything; in any case it has not explained the bytes.
    except Exception as error:
        problem = f"{message.operation} cannot be observed: {error}{plugin_line(error)}"
        return Observation(message=message, problem=problem)
    if seen is None:
        return Observation(message=message, problem=_no_observation(operation))
    return Observation(
        message=message,
        patches=patches,
        tokens=tokens,
        problem=_unexplained(message, operation, patches, tokens),
        patch_size=_patch_size(message, networks) if tokens else 1,
        lossy=lossy(message.codecs),
        built_in=_built_in(operation),
    )


def _check_patch(patch: Patch, frame: tuple[int, int]) -> None:
    """Raise ValueError unless a patch is a picture that lies in the frame."""
    try:
        check_picture(patch.picture)
    except ValueError as error:
        raise ValueError(f"a patch shows no picture: {error}") from None
    height, width = patch.picture.shape[:2]
    if min(patch.top, patch.left) < 0 or patch.top + height > frame[0] or patch.left + width > frame[1]:
        raise ValueError(
            f"a patch of {height} x {width} pixels at row {patch.top}, column {patch.left} reaches beyond the "
            f"frame of {frame[0]} x {frame[1]} pixels"
        )


def _no_observation(operation: Operation) -> str:
    fault = "returned None" if type(operation).observe is not Operation.observe else "is missing"
    return f"{operation.name} cannot show its payload: its `observe` {fault}: return Patches and Tokens there"


def _unexplained(
    message: Received,
    operation: Operation,
    patches: Sequence[Patch],
    tokens: Sequence[Tokens],
) -> str:
    """Return the reason for which patches and tokens cannot explain all received bytes; "" if they can."""
    if _built_in(operation):
        return ""
    explained = sum(map(_shown, patches)) + sum(each.values.nbytes for each in tokens)
    places = _PATCH_PLACE * len(patches) + _TOKEN_PLACE * sum(len(each.positions) for each in tokens)
    found = sum(
        np.count_nonzero(np.frombuffer(array.tobytes(), np.uint8))
        for array in (message.payload or {}).values()
    )
    if found > explained + places + _MESSAGE:
        return f"{message.operation} carries {found} bytes and shows {explained} of them"
    return ""


def _built_in(operation: Operation) -> bool:
    return type(operation).__module__.startswith("pedbench.offload.operations.")


def _shown(patch: Patch) -> int:
    """Count the bytes that a patch's picture explains: one per value if all values are 8-bit levels."""
    levels = patch.picture * np.float32(255)
    return patch.picture.size if np.abs(levels - np.rint(levels)).max() < 1e-3 else patch.picture.nbytes


def _patch_size(message: Received, networks: Networks) -> int:
    return window_grid(networks.network(message.arguments.get("weights", "original")).image_encoder).patch

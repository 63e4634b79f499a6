"""Comparison of what an operation of a plugin shows of its payload with what that holds of the picture.

An operation's author says by `observe` how its payload looks. Of operations outside of pedbench that nothing else
checks, two things are required, each between passes with the same randomness over pictures that differ:

1. Where payloads differ, what is shown differs as much: no content is left out, such as detail below a shown blur.
2. What is shown differs as the pictures do: it is a picture, not its encryption under a key that the server holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.offload.operations.observation import Observation
from pedbench.pictures.frame import to_frame
from pedbench.types import Picture

LEAST_SHOWN = 0.5
"""Minimum share of shown levels that differ, relative to the share of the payload's values that do."""

LEAST_LIKENESS = 0.25
"""Minimum correlation of differences shown with differences of the pictures; 0 for encryption, some 0.7 for blur."""

TOKENS = "it shows tokens, which are not compared with pictures, so they count as the whole frame"

_CURE = "show the payload's 8-bit levels at their place in the frame"

_STEP = np.float32(24 / 255)


def is_authored(observation: Observation) -> bool:
    """Return whether a plugin's own operation explained a message."""
    return not (observation.problem or observation.built_in)


def with_other_detail(frame: Picture) -> Picture:
    """Return a frame of which half of the pixels are changed, so that means over a few pixels stay the same."""
    rows, columns = np.ogrid[: frame.shape[0], : frame.shape[1]]
    step = np.minimum(_STEP, np.minimum(frame, 1 - frame)) * (columns % 2 - rows % 2)[..., None]
    changed: Picture = (np.rint(255 * (frame + step)) / 255).astype(np.float32)
    return changed


def with_other_content(frame: Picture, other: Picture) -> Picture:
    """Return another picture, repeated or cut to the frame's size."""
    rows, columns = (
        np.arange(size) % limit for size, limit in zip(frame.shape[:2], other.shape[:2], strict=True)
    )
    repeated: Picture = other[rows][:, columns]
    return repeated


def unfaithful_operations(
    frame: Picture,
    another: Picture,
    seen: Sequence[Observation],
    repeat: Callable[[Picture], Sequence[Observation]],
) -> str:
    """Return why what plugins' own operations show is not to be believed; "" if it may be.

    Args:
        frame: (H, W, 3) float32 in [0, 1].
        another: Picture of any size with other content, (h, w, 3) float32 in [0, 1].
        seen: What servers received of the frame.
        repeat: Returns what they receive of a picture of the frame's size, with the same randomness.
    """
    own = [each for each in seen if is_authored(each)]
    if not own:
        return ""
    content = with_other_content(frame, to_frame(another, max(frame.shape[:2])))
    for other, detail in ((content, False), (with_other_detail(frame), True)):
        shown = [each for each in repeat(other) if is_authored(each)]
        if reason := unfaithful((frame, other), (own, shown), detail=detail):
            return f"{' and '.join(dict.fromkeys(each.message.operation for each in own))}: {reason}"
    return ""


def unfaithful(
    frames: tuple[Picture, Picture],
    seen: tuple[Sequence[Observation], Sequence[Observation]],
    *,
    detail: bool,
) -> str:
    """Compare what is shown of two pictures with the pictures and with the payloads.

    Args:
        frames: Two pictures of one size.
        seen: What servers received of each, from passes with the same randomness.
        detail: Whether the pictures differ in detail only, of which a faithful observation may show nothing.

    Returns:
        Why the observations are not to be believed; "" if they may be.
    """
    pairs = list(zip(*seen, strict=False))
    keys = [
        [
            (each.message.server, each.message.operation, [p.picture.shape for p in each.patches])
            for each in one
        ]
        for one in seen
    ]
    if keys[0] != keys[1]:
        return "it sends other messages of another picture, so that nothing can be compared: send as many of one size"
    payload = _changed(
        (each.message.payload[name], other.message.payload[name])
        for each, other in pairs
        if each.message.payload is not None and other.message.payload is not None
        for name in each.message.payload
    )
    if not payload:
        return ""
    if any(each.tokens for each, _ in pairs):
        return TOKENS
    patches = [(a, b) for each, other in pairs for a, b in zip(each.patches, other.patches, strict=True)]
    shown = _changed((np.rint(255 * a.picture), np.rint(255 * b.picture)) for a, b in patches)
    if shown < LEAST_SHOWN * payload:
        return f"{payload:.0%} of its payload differ between two pictures, and {shown:.0%} of what it shows: {_CURE}"
    if detail:
        return ""
    first, second = frames
    found = np.concatenate([(a.picture - b.picture).ravel() for a, b in patches])
    true = np.concatenate([(first[a.slices] - second[b.slices]).ravel() for a, b in patches])
    likeness = float(np.corrcoef(found, true)[0, 1]) if found.std() and true.std() else 0.0
    if likeness < LEAST_LIKENESS:
        return f"what it shows of two pictures differs as they do by a correlation of {likeness:.2f} only: {_CURE}"
    return ""


def _changed(pairs: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]]) -> float:
    """Return the share of values that differ between arrays; all of them where shapes differ."""
    changed = total = 0
    for one, other in pairs:
        total += one.size
        changed += int((one != other).sum()) if one.shape == other.shape else one.size
    return changed / total if total else 0.0

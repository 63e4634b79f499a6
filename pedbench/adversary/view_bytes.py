"""A view as bytes, for the process of an attack: a JSON header and raw arrays, nothing pickled.

The bytes depend on the view's content alone. The prior is public and the same for all, so it stays out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.types import MessageFacts, Patch, Prior, Reading, Tokens, View

_LENGTH = 8
"""Bytes of the header's own length, little-endian."""


def view_to_bytes(view: View) -> bytes:
    """Serialise all of a view but its prior."""
    header = {
        "frame_size": view.frame_size,
        "patches": [_patch_header(patch) for patch in view.patches],
        "degraded": [_patch_header(patch) for patch in view.degraded],
        "tokens": [
            {"shape": held.values.shape, "depth": held.depth, "server": held.server, "request": held.request}
            for held in view.tokens
        ],
        "messages": [asdict(facts) for facts in view.messages],
        "description": dict(view.description),
        "moves": view.moves,
        "read": view.reading is not None,
        "paintings": len(view.paintings),
    }
    text = json.dumps(header, sort_keys=True).encode()
    arrays: list[npt.NDArray[Any]] = [
        patch.picture.astype("<f4") for patch in (*view.patches, *view.degraded)
    ]
    for held in view.tokens:
        arrays += [held.values.astype("<f4"), held.positions.astype("<i8")]
    if view.reading is not None:
        arrays += [view.reading.picture.astype("<f4"), view.reading.confidence.astype("<f4")]
    arrays += [painting.astype("<f4") for painting in view.paintings]
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *(array.tobytes() for array in arrays)])


def view_from_bytes(data: bytes, prior: Prior) -> View:
    """Build a view from `view_to_bytes` and the prior.

    Raises:
        ValueError: The bytes end too early or go on after the last array.
    """
    body = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    header = json.loads(data[_LENGTH:body])
    position = body

    def take(shape: Iterable[int], dtype: str) -> npt.NDArray[Any]:
        nonlocal position
        sizes = tuple(shape)
        count = int(np.prod(sizes, dtype=np.int64))
        array = np.frombuffer(data, dtype, count, position).reshape(sizes)
        position += array.nbytes
        return array

    def patches(kind: str) -> tuple[Patch, ...]:
        return tuple(Patch(picture=take(h.pop("shape"), "<f4"), **h) for h in header[kind])

    exact, degraded = patches("patches"), patches("degraded")
    tokens = []
    for held in header["tokens"]:
        count, channels = held.pop("shape")
        values, positions = take((count, channels), "<f4"), take((count, 2), "<i8")
        tokens.append(Tokens(values=values, positions=positions, **held))
    height, width = header["frame_size"]
    reading = None
    if header["read"]:
        picture, confidence = take((height, width, 3), "<f4"), take((height, width), "<f4")
        reading = Reading(picture=picture, confidence=confidence)
    paintings = tuple(take((height, width, 3), "<f4") for _ in range(header["paintings"]))
    if position != len(data):
        raise ValueError(f"a view of {len(data)} bytes, of which its header explains {position}")
    return View(
        frame_size=(height, width),
        patches=exact,
        degraded=degraded,
        tokens=tuple(tokens),
        messages=tuple(MessageFacts(**facts) for facts in header["messages"]),
        description=header["description"],
        prior=prior,
        moves=header["moves"],
        reading=reading,
        paintings=paintings,
    )


def frame_size(data: bytes) -> tuple[int, int]:
    """Return the height and width of the frame of a view that `view_to_bytes` wrote."""
    header = json.loads(data[_LENGTH : _LENGTH + int.from_bytes(data[:_LENGTH], "little")])
    height, width = header["frame_size"]
    return height, width


def _patch_header(patch: Patch) -> dict[str, Any]:
    return {
        "shape": patch.picture.shape,
        "top": patch.top,
        "left": patch.left,
        "server": patch.server,
        "request": patch.request,
    }

"""What operations of plugins show is believed where it is what they carry, and no cipher of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from pedbench.adversary.prior import load_prior
from pedbench.offload.operations.observation import Observation
from pedbench.privacy.authored_content import is_authored, unfaithful, with_other_content, with_other_detail
from pedbench.types import Patch, Picture, Received

Levels = npt.NDArray[np.uint8]
KEY = np.random.default_rng(0xC0FFEE).integers(0, 256, (320, 320, 3), np.uint8)
ORDER = np.random.default_rng(1).permutation(320 * 320)


def blurred(levels: Levels) -> Levels:
    smooth = gaussian_filter(levels.astype(np.float32), (6, 6, 0), mode="nearest")
    return np.rint(smooth).astype(np.uint8)


def coarse(levels: Levels) -> Levels:
    rows, columns = (np.arange(size) // 20 * 20 for size in levels.shape[:2])
    return levels[rows][:, columns]


def noisy(levels: Levels) -> Levels:
    noise = np.random.default_rng(3).normal(0, 40, levels.shape)
    return np.clip(levels + noise, 0, 255).astype(np.uint8)


def keyed(levels: Levels) -> Levels:
    height, width = levels.shape[:2]
    changed: Levels = np.bitwise_xor(levels, KEY[:height, :width])
    return changed


def shuffled(levels: Levels) -> Levels:
    order = ORDER[levels[..., 0].size > ORDER]
    moved: Levels = levels.reshape(-1, 3)[order].reshape(levels.shape)
    return moved


def same(levels: Levels) -> Levels:
    return levels


def grey(levels: Levels) -> Levels:
    return np.full_like(levels, 128)


def seen_of(
    frame: Picture, sent: Callable[[Levels], Levels], shown: Callable[[Levels], Levels]
) -> list[Observation]:
    payload = sent(np.rint(frame * 255).astype(np.uint8))
    picture = (shown(payload) / 255).astype(np.float32)
    message: Any = Received.__new__(Received)
    for name, value in {"server": 0, "operation": "own", "payload": {"pixels": payload}}.items():
        object.__setattr__(message, name, value)
    patch = Patch(picture=picture, top=0, left=0, server=0, request=0)
    return [Observation(message=message, patches=(patch,), built_in=False)]


def judged(sent: Callable[[Levels], Levels], shown: Callable[[Levels], Levels]) -> str:
    frame, another = (picture[:240] for picture in load_prior().pictures[1:3])
    first = seen_of(frame, sent, shown)
    assert all(map(is_authored, first))
    reasons = [
        unfaithful((frame, other), (first, seen_of(other, sent, shown)), detail=detail)
        for other, detail in ((with_other_content(frame, another), False), (with_other_detail(frame), True))
    ]
    return "; ".join(filter(None, reasons))


@pytest.mark.parametrize("sent", [same, blurred, coarse, noisy, grey])
def test_what_is_shown_as_it_is_sent_is_believed(sent: Callable[[Levels], Levels]) -> None:
    assert judged(sent, same) == ""


@pytest.mark.parametrize(
    ("sent", "shown", "reason"),
    [
        (keyed, same, "by a correlation of"),
        (shuffled, same, "by a correlation of"),
        (lambda levels: keyed(blurred(levels)), same, "by a correlation of"),
        (lambda levels: 255 - levels, same, "by a correlation of -1"),
        (same, grey, "and 0% of what it shows"),
        # The server undoes the key; its operation shows that only blurred.
        (keyed, lambda payload: blurred(keyed(payload)), "of what it shows"),
        (keyed, lambda payload: coarse(keyed(payload)), "of what it shows"),
    ],
)
def test_ciphers_and_content_that_is_not_shown_are_not_believed(
    sent: Callable[[Levels], Levels], shown: Callable[[Levels], Levels], reason: str
) -> None:
    assert reason in judged(sent, shown)


def test_other_messages_and_shapes_are_not_believed() -> None:
    frame, other = (picture[:240] for picture in load_prior().pictures[1:3])
    one, two = seen_of(frame, same, same), seen_of(other, same, same)
    smaller = seen_of(other[:120], same, same)
    for found in (two + two, smaller):
        assert "other messages" in unfaithful((frame, other), (one, found), detail=False)

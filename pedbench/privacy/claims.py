"""The trusted side of probes: which of a picture's secrets were read, given the truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pedbench.base import Claim
from pedbench.pictures.frame import Size, scale_boxes
from pedbench.types import Sample, Secret

LEAST_OVERLAP = 0.3
"""Intersection over union of a claimed and a true face or object from which it counts as found."""

LEAST_AREA = 32**2
"""Square pixels, as the dataset states them, of the smallest object that counts: COCO's classes M and L."""

UNDEFENDED = "undefended"
"""The source of the claims about the frame itself, to which the others relate."""

WORDS, ERRORS, FACES, OBJECTS = "words read", "character error rate", "faces found", "objects found"

FOUND: Mapping[str, str] = {"text": WORDS, "face": FACES, "object": OBJECTS}
"""By kind of secret, the measure that says whether it was found at all."""


def planted(sample: Sample, kind: str, frame: Size) -> dict[int, Secret]:
    """The secrets of a kind, with boxes in pixels of the frame, by their place among the sample's secrets.

    Objects are its instances of at least `LEAST_AREA` that are no crowds, by their place among these.

    Args:
        frame: Height and width of the frame.
    """
    size = (sample.image.shape[0], sample.image.shape[1])
    found = {}
    for number, secret in _objects(sample) if kind == "object" else enumerate(sample.secrets):
        if secret.kind == kind:
            left, top, width, height = secret.box
            corners = np.array([[left, top, left + width, top + height]])
            x, y, right, bottom = (float(value) for value in scale_boxes(corners, size, frame)[0])
            found[number] = replace(secret, box=(x, y, right - x, bottom - y))
    return found


def _objects(sample: Sample) -> Iterator[tuple[int, Secret]]:
    for number, instance in enumerate(sample.instances):
        if instance.area >= LEAST_AREA and not instance.crowd and instance.mask.any():
            rows, columns = (np.flatnonzero(instance.mask.any(axis=axis)) for axis in (1, 0))
            box = (columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1)
            left, top, width, height = (float(value) for value in box)
            yield number, Secret(kind="object", content=instance.category, box=(left, top, width, height))


def held_against(secret: Secret, claims: Sequence[Claim]) -> dict[str, float]:
    """What claims reveal of a secret.

    Args:
        secret: With its box in pixels of the frame.
        claims: With boxes in pixels of the frame; those of another kind are left out.

    Returns:
        A word: "words read", 1 if an overlapping claim is that word, and "character error rate", the smallest
        of overlapping claims. Both compare letters and digits alone, in either case. A face: "faces found". An
        object: "objects found", if a claim calls it by its category, in either case and with or without
        underscores.

    Raises:
        ValueError: Nothing is known of secrets of this kind.
    """
    if secret.kind not in _RULES:
        raise ValueError(f"a secret of kind {secret.kind!r}; known are {', '.join(_RULES)}")
    return _RULES[secret.kind](secret, [claim for claim in claims if claim.kind == secret.kind])


def _word(secret: Secret, claims: Sequence[Claim]) -> dict[str, float]:
    near = [claim for claim in claims if overlap(claim.box, secret.box) > 0]
    error = min((character_error_rate(claim.content, secret.content) for claim in near), default=1.0)
    return {WORDS: float(error == 0), ERRORS: error}


def _face(secret: Secret, claims: Sequence[Claim]) -> dict[str, float]:
    return {FACES: float(any(overlap(claim.box, secret.box) >= LEAST_OVERLAP for claim in claims))}


def _thing(secret: Secret, claims: Sequence[Claim]) -> dict[str, float]:
    called = [claim for claim in claims if _plain(claim.content) == _plain(secret.content)]
    return {OBJECTS: float(any(overlap(claim.box, secret.box) >= LEAST_OVERLAP for claim in called))}


_RULES: Mapping[str, Callable[[Secret, Sequence[Claim]], dict[str, float]]] = {
    "text": _word,
    "face": _face,
    "object": _thing,
}


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes of x, y, width, height.

    Examples:
        >>> overlap((0, 0, 2, 2), (1, 0, 2, 2))
        0.3333333333333333
    """
    sides = [
        min(first[k] + first[k + 2], second[k] + second[k + 2]) - max(first[k], second[k]) for k in (0, 1)
    ]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    union = first[2] * first[3] + second[2] * second[3] - shared
    return shared / union if union > 0 else 0.0


def character_error_rate(claimed: str, true: str) -> float:
    """Edits (Levenshtein) that turn the claim into the truth, per character of the truth, at most 1.

    Letters and digits count alone, in either case.

    Raises:
        ValueError: The truth holds neither.

    Examples:
        >>> character_error_rate("AUTUMN.", "Autumn"), character_error_rate("W1ND0W", "window")
        (0.0, 0.3333333333333333)
    """
    wrong, right = _plain(claimed), _plain(true)
    if not right:
        raise ValueError(f"{true!r} holds no letter and no digit that could be read")
    row = list(range(len(right) + 1))
    for i, letter in enumerate(wrong, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return min(1.0, row[-1] / len(right))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()

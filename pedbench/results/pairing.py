"""Values of two sets that belong to the same annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def paired(values: pd.DataFrame, reference: pd.DataFrame) -> tuple[list[str], list[float], list[float]]:
    """Return picture, value and reference of each value whose annotation has a reference.

    Args:
        values: Columns image, annotation, value.
        reference: Likewise; several values of an annotation, as of several seeds, are averaged.
    """
    expected: dict[tuple[str, int], list[float]] = {}
    for key, value in _rows(reference):
        expected.setdefault(key, []).append(value)
    means = {key: sum(found) / len(found) for key, found in expected.items()}
    pairs = [(key[0], value, means[key]) for key, value in _rows(values) if key in means]
    return [image for image, _, _ in pairs], [own for _, own, _ in pairs], [other for _, _, other in pairs]


def _rows(values: pd.DataFrame) -> Any:
    """Return pairs of (image, annotation) and value."""
    return zip(zip(values["image"], values["annotation"], strict=True), values["value"], strict=True)

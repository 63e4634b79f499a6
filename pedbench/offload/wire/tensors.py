"""Arrays of replies as tensors of the dtype in which the edge computes."""

from __future__ import annotations

import math

import torch

from pedbench.base import Field
from pedbench.offload.wire.codec_labels import Coded, layout
from pedbench.offload.wire.messages import WireError


def decode_tensor(name: str, coded: Coded, field: Field, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Decode an array part by part into a tensor.

    Args:
        name: Name of the array in error messages.
        coded: The array.
        field: Declaration of the array.
        dtype: Dtype of the result; None for the dtype before encoding.

    Returns:
        The tensor, of the shape before encoding, on the CPU.

    Raises:
        WireError: The bytes are invalid, or hold values that are not finite.
    """
    declared: torch.dtype = getattr(torch, coded.dtype)
    try:
        codec, axis, sizes = layout(coded, field)
        rows = torch.empty(math.prod(sizes[:-1]), sizes[-1], dtype=dtype or declared)
        filled = 0
        for array in codec.parts(coded.data, sizes):
            part = torch.tensor(array)
            if part.dtype != declared or part.shape[1:] != rows.shape[1:]:
                raise ValueError(
                    f"expected rows of {sizes[-1]} values of {declared}, found {tuple(part.shape)} of {part.dtype}"
                )
            rows[filled : filled + len(part)] = part
            if not rows[filled : filled + len(part)].isfinite().all():
                raise ValueError(f"not all values are finite in {rows.dtype}")
            filled += len(part)
        if filled != len(rows):
            raise ValueError(f"codec {codec.label} returned {filled} of {len(rows)} rows")
    # Libraries behind codecs raise many kinds of exceptions for invalid bytes.
    except Exception as error:
        raise WireError(f"tensor {name!r}: {error}") from error
    return rows.view(sizes).movedim(-1, axis)

"""Weights files written tensor by tensor, for networks that are larger than the memory that writing may take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pedbench.host.files import write_atomically

_DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
"""Names of dtypes in the format, in the order in which safetensors places them."""

_ALIGNMENT = 8


def write_streamed(path: Path, layout: Mapping[str, Tensor], tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Write a `.safetensors` atomically into a file that everybody may read, with one tensor in memory at a time.

    Args:
        path: The file. Its folder is created.
        layout: Tensors by name, possibly without memory; only shapes and dtypes matter.
        tensors: Names and values in the order of `file_order(layout)`.

    Raises:
        ValueError: `tensors` are others than those of `layout`, or of a dtype other than float32, bfloat16 and float16.
    """

    def write(partial: Path) -> None:
        with partial.open("wb") as stream:
            stream.write(_header(layout))
            for expected, (name, tensor) in zip(file_order(layout), tensors, strict=True):
                declared = expected, layout[expected].dtype, layout[expected].shape
                if declared != (name, tensor.dtype, tensor.shape):
                    raise ValueError(f"expected {declared}, found {name}, {tensor.dtype}, {tensor.shape}")
                stream.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        partial.chmod(0o644)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, write)


def file_order(layout: Mapping[str, Tensor]) -> list[str]:
    """Return the names of tensors in the order of a file: float32 first, then half precision, each by name.

    Raises:
        ValueError: A tensor is of another dtype.
    """
    for name, tensor in layout.items():
        if tensor.dtype not in _DTYPES:
            raise ValueError(
                f"found {name} as {tensor.dtype}, expected one of {', '.join(map(str, _DTYPES))}"
            )
    rank = list(_DTYPES).index
    return sorted(layout, key=lambda name: (rank(layout[name].dtype), name))


def _header(layout: Mapping[str, Tensor]) -> bytes:
    entries: dict[str, Any] = {}
    end = 0
    for name in file_order(layout):
        tensor, first = layout[name], end
        end += tensor.numel() * tensor.itemsize
        kind = _DTYPES[tensor.dtype]
        entries[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [first, end]}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text

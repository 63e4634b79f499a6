"""Devices of the edge and the servers: an NVIDIA or Apple accelerator, or the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

SHARE = 0.4
"""Share of a device's free memory that a batch may fill: two attack processes use it at a time."""

MOST_AT_ONCE = 64
"""Maximum items in a batch; more do not make an accelerator faster."""

STAND_IN = 4
"""Items in a batch on `cpu:0`, which runs the accelerator's code on a CPU."""


def choose_device(requested: str) -> str:
    """Return torch's name of the requested device.

    Args:
        requested: `cpu`, `cuda`, `cuda:1`, `mps`; or `auto` for the first accelerator of this machine, else the CPU.

    Raises:
        ValueError: This machine has no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested == "auto":
        return next(name for name, present in available.items() if present)
    kind, _, number = requested.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if not available.get(kind) or (number and not (number.isdecimal() and int(number) < count)):
        names = ", ".join(name for name, present in available.items() if present)
        raise ValueError(f"--device: there is no {requested!r} here; found: {names}. `auto` takes the first.")
    return requested


def choose_dtype(requested: str) -> torch.dtype:
    """Return the torch type of an image encoder's numbers.

    Raises:
        ValueError: The name is not in `DTYPES`.
    """
    if requested not in DTYPES:
        raise ValueError(f"--dtype: expected one of {', '.join(DTYPES)}, found {requested!r}.")
    return DTYPES[requested]


def in_batches(
    compute: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], device: str, on_cpu: int
) -> list[Result]:
    """Compute items in batches as large as the device's memory allows.

    On an accelerator the first item is computed alone to measure its memory. A batch that still does not fit is
    repeated with half as many items.

    Args:
        compute: Takes some of the items and returns a result for each.
        items: Items that take about the same memory each.
        device: Torch's name of the device.
        on_cpu: Items in a batch on `cpu`.

    Raises:
        RuntimeError: A single item does not fit.
    """
    results: list[Result] = []
    size = on_cpu if device == "cpu" else 1
    while len(results) < len(items):
        alone = device != "cpu" and not results
        before = _allocated_bytes(device) if alone else 0
        try:
            results += compute(items[len(results) : len(results) + size])
        except RuntimeError as error:
            if size == 1 or "out of memory" not in str(error):
                raise
            size //= 2
            continue
        if alone:
            size = _batch_size(device, before)
    return results


def _allocated_bytes(device: str) -> int:
    """Return the bytes that tensors occupy on a device, and reset its record of the peak."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if kind == "mps":
        torch.mps.empty_cache()
        return torch.mps.driver_allocated_memory()
    return 0


def _batch_size(device: str, before: int) -> int:
    """Return how many items fit into a device's free memory, if one item raised its use from `before` to the peak."""
    kind = torch.device(device).type
    if kind == "cuda":
        each = torch.cuda.max_memory_allocated(device) - before
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0] + cached
    elif kind == "mps":
        # The driver does not return memory by itself, so its allocation shows the peak.
        each = torch.mps.driver_allocated_memory() - before
        free = torch.mps.recommended_max_memory() - before
    else:
        return STAND_IN
    return min(MOST_AT_ONCE, max(1, int(SHARE * free / max(each, 1))))


def synchroniser(device: torch.device) -> Callable[[], None]:
    """Return a function that blocks until the device's queue is empty."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None

"""Where the edge or a server computes: an NVIDIA or Apple accelerator, or the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

SHARE = 0.4
"""Of a device's free memory that a batch may fill: two attack processes use it at a time."""

MOST_AT_ONCE = 64
"""Items in a batch; more do not make an accelerator faster."""

STAND_IN = 4
"""Items in a batch on `cpu:0`, which takes an accelerator's way on a CPU."""


def choose_device(wanted: str) -> str:
    """The device by torch's name for it.

    Args:
        wanted: `cpu`, `cuda`, `cuda:1`, `mps`; or `auto`, the first accelerator that is there, else the CPU.

    Raises:
        ValueError: There is no such device here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in here.items() if there)
    kind, _, number = wanted.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if not here.get(kind) or (number and not (number.isdecimal() and int(number) < count)):
        found = ", ".join(name for name, there in here.items() if there)
        raise ValueError(f"--device: there is no {wanted!r} here; found: {found}. `auto` takes the first.")
    return wanted


def choose_dtype(wanted: str) -> torch.dtype:
    """The type of an image encoder's numbers by its name.

    Raises:
        ValueError: Another name.
    """
    if wanted not in DTYPES:
        raise ValueError(f"--dtype: expected one of {', '.join(DTYPES)}, found {wanted!r}.")
    return DTYPES[wanted]


def in_batches(
    compute: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], device: str, on_cpu: int
) -> list[Result]:
    """Compute items together, as many at a time as the device's memory holds.

    On an accelerator the first goes alone, which shows what one takes. A batch that does not fit after all is tried
    again with half as many.

    Args:
        compute: Takes some of the items, and returns a result for each.
        items: Each takes about as much memory as the others.
        device: Where it computes, as torch names it.
        on_cpu: Items in a batch on `cpu`.

    Raises:
        RuntimeError: A single one does not fit.
    """
    results: list[Result] = []
    size = on_cpu if device == "cpu" else 1
    while len(results) < len(items):
        alone = device != "cpu" and not results
        before = _taken(device) if alone else 0
        try:
            results += compute(items[len(results) : len(results) + size])
        except RuntimeError as error:
            if size == 1 or "out of memory" not in str(error):
                raise
            size //= 2
            continue
        if alone:
            size = _fitting(device, before)
    return results


def _taken(device: str) -> int:
    """Bytes that tensors take on a device; its record of the most that they took begins anew."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if kind == "mps":
        torch.mps.empty_cache()
        return torch.mps.driver_allocated_memory()
    return 0


def _fitting(device: str, before: int) -> int:
    """How many items fit into the free memory of a device, by what one took beyond what was taken before."""
    kind = torch.device(device).type
    if kind == "cuda":
        each = torch.cuda.max_memory_allocated(device) - before
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0] + cached
    elif kind == "mps":
        # What it does not need any more it keeps.
        each = torch.mps.driver_allocated_memory() - before
        free = torch.mps.recommended_max_memory() - before
    else:
        return STAND_IN
    return min(MOST_AT_ONCE, max(1, int(SHARE * free / max(each, 1))))


def settler(device: torch.device) -> Callable[[], None]:
    """What waits until a device has done all that it was told to."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None

"""Where the edge or a server computes: an NVIDIA or Apple accelerator, or the CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


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


def settler(device: torch.device) -> Callable[[], None]:
    """What waits until a device has done all that it was told to."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None

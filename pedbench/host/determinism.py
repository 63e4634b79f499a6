"""Results that do not depend on the number of threads, to the last bit.

A mask is a thresholded picture. A difference in the last bit can change the sign of a logit close to 0, and thus the
IoU of a small object. So not even the smallest differences may arise.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from pedbench.host.provenance import cores


@contextmanager
def without_onednn(exact: bool = True) -> Iterator[None]:
    """Compute convolutions with torch's own kernels, on all threads.

    The summation order of oneDNN's convolutions depends on the number of threads. An image encoder loses little
    speed without them: it consists of matrix products, whose oneDNN kernels
    (`pedbench.models.sam.onednn_linear`) do not depend on it.

    Args:
        exact: Whether encoders compute in float32. If not, nothing is changed, as torch's half-precision kernels
            take dozens of times as long.
    """
    # Not `torch.backends.mkldnn.flags`, which switches TF32 as well.
    settings: Any = torch.backends.mkldnn
    before = settings.enabled
    settings.enabled = before and not exact
    try:
        yield
    finally:
        settings.enabled = before


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Compute with so many threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def single_threaded() -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of one worker per core, each computing with one thread.

    So the result of a job does not depend on the number of cores.
    """
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        # Threads created later start with this number, too.
        torch.set_num_threads(before)

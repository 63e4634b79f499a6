"""Computing so that the number of threads changes no result, to the last bit.

A mask is a thresholded picture: one pixel whose logit is next to 0 may change sides over a difference in the
last bit, and takes the IoU of a small object along. So differences must not arise at all, small as they are.
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
    """Leave convolutions to torch's own kernels, on all threads.

    Those of oneDNN sum up in another order for each number of threads. An image encoder loses little without
    them: it consists of matrix products, and those of oneDNN in it (`pedbench.models.sam.onednn_linear`) are the
    same for any number of threads.

    Args:
        exact: Whether encoders compute in float32. In half precision torch's own take dozens of times as long, and
            nothing is changed.
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
def single_threaded() -> Iterator[ThreadPoolExecutor]:
    """As many workers as there are cores, each of which computes with one thread.

    So a job's result does not depend on their number.
    """
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        # It is also what threads start with that are made later.
        torch.set_num_threads(before)

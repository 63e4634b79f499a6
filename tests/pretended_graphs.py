"""CUDA's graphs, streams and pinned memory on the pretended device.

A graph notes every operation while it is recorded, and refuses copies between the devices. When it is replayed, each
operation runs again on the same tensors, and its results replace the former ones in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.pretended_device import pretended_cuda


class Graph:
    """Stand-in for `torch.cuda.CUDAGraph`, as far as it is used."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def replay(self) -> None:
        for func, args, kwargs, results in self.operations:
            for former, new in zip(tree_leaves(results), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(former, torch.Tensor) and former is not new:
                    former.copy_(new)


class _Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, graph: Graph) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        devices = {
            leaf.device.type for leaf in tree_leaves((args, results)) if isinstance(leaf, torch.Tensor)
        }
        if func is torch.ops.aten._to_copy.default and len(devices) > 1:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.graph.operations.append((func, args, kwargs or {}, results))
        return results


class Stream:
    """A stream that has done everything at once."""

    def wait_stream(self, other: Stream) -> None:
        """There is nothing to wait for."""


@contextmanager
def pretended_graphs() -> Iterator[None]:
    """Everything inside may use the device `cuda`, its graphs and its streams."""
    current = Stream()
    with pretended_cuda(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.CUDAGraph", Graph)
        patch.setattr("torch.cuda.graph", _Recording)
        patch.setattr("torch.cuda.Stream", Stream)
        patch.setattr("torch.cuda.stream", nullcontext)
        patch.setattr("torch.cuda.current_stream", lambda: current)
        patch.setattr("torch.Tensor.pin_memory", lambda tensor: tensor)
        patch.setattr("torch.Tensor.record_stream", lambda tensor, stream: None)
        yield

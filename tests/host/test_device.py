"""Batches that fit, and those that turn out not to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from pedbench.host.device import in_batches


def test_batches_are_as_large_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def compute(part: Sequence[int]) -> list[int]:
        sizes.append(len(part))
        if len(part) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return [item**2 for item in part]

    squares = [item**2 for item in range(9)]
    assert in_batches(compute, range(9), "cpu", 2) == squares
    assert sizes == [2, 2, 2, 2, 1]
    sizes.clear()
    monkeypatch.setattr("pedbench.host.device.STAND_IN", 6)
    assert in_batches(compute, range(9), "cpu:0", 2) == squares
    assert sizes == [1, 6, 3, 3, 2]
    assert in_batches(compute, [], "cpu:0", 2) == []


def test_memory_decides_on_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first item takes 10 of 500 bytes, of which a batch may fill 200."""
    sizes: list[int] = []
    says = {
        "reset_peak_memory_stats": None,
        "memory_allocated": 30,
        "max_memory_allocated": 40,
        "memory_reserved": 50,
        "mem_get_info": (480, 1000),
    }
    for name, value in says.items():
        monkeypatch.setattr(f"torch.cuda.{name}", lambda device, value=value: value)

    def compute(part: Sequence[int]) -> list[int]:
        sizes.append(len(part))
        return list(part)

    assert in_batches(compute, range(50), "cuda", 1) == list(range(50))
    assert sizes == [1, 20, 20, 9]


def test_what_does_not_fit_alone_fails() -> None:
    tried: list[int] = []

    def compute(part: Sequence[int]) -> list[int]:
        tried.append(len(part))
        raise RuntimeError(f"MPS backend out of memory (tried {len(tried)} times)")

    with pytest.raises(RuntimeError, match="tried 1 times"):
        in_batches(compute, range(5), "cpu:0", 1)

    def broken(part: Sequence[int]) -> list[int]:
        tried.append(len(part))
        raise RuntimeError("sizes do not match")

    tried.clear()
    with pytest.raises(RuntimeError, match="sizes do not match"):
        in_batches(broken, range(5), "cpu", 4)
    assert tried == [4]

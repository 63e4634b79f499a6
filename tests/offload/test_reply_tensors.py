"""Tokens of replies in the dtype in which the edge computes, and what decoding them allocates."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pedbench.base import Field
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.payload_fields import FEATURES, TOKENS
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.codec_labels import code, decode
from pedbench.offload.wire.messages import WireError
from pedbench.offload.wire.tensors import decode_tensor
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

CODECS = ("quantised", "quantised(bits=3)", "bfloat16")


def values(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class _Float32(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the bytes of the largest float32 tensor that an operation returns."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        sizes = [
            leaf.nbytes for leaf in tree_leaves(results) if getattr(leaf, "dtype", None) == torch.float32
        ]
        self.largest = max(self.largest, *sizes, 0)
        return results


@contextmanager
def allocations() -> Iterator[dict[str, int]]:
    """Measure the peak of NumPy's memory, and the largest float32 tensor of torch, in bytes."""
    found: dict[str, int] = {}
    tracemalloc.start()
    try:
        with _Float32() as mode:  # type: ignore[no-untyped-call]
            yield found
        found |= {"numpy": tracemalloc.get_traced_memory()[1], "torch": mode.largest}
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("label", CODECS)
@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("field", "shape"), [(TOKENS, (5, 14, 14, 24)), (FEATURES["features"], (1, 9, 40, 8))]
)
def test_a_tensor_is_the_converted_array(
    label: str, dtype: torch.dtype | None, field: Field, shape: tuple[int, ...]
) -> None:
    coded = code(values(*shape), label, field)
    expected = torch.tensor(decode(coded, field), dtype=dtype)
    found = decode_tensor("tokens", coded, field, dtype)
    assert found.dtype == (dtype or torch.float32)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("label", CODECS)
def test_no_whole_copy_is_made_in_float32(label: str) -> None:
    coded = code(values(25, 14, 14, 256), label)
    whole = 25 * 14 * 14 * 256 * 4
    for _ in range(2):  # The first time, modules are imported too.
        with allocations() as found:
            decode_tensor("tokens", coded, TOKENS, torch.bfloat16)
    # A codec may hold parts and, to cut them, its own bytes.
    assert found["numpy"] - len(coded.data) < whole / 2
    assert 0 < found["torch"] < whole / 10


@pytest.mark.parametrize("label", CODECS)
def test_invalid_bytes_are_refused(label: str) -> None:
    coded = code(values(3, 4, 4, 8), label)
    nan = np.full_like(np.frombuffer(coded.data, np.uint8), 0xFF).tobytes()
    wrong = [replace(coded, data=coded.data[:-2]), replace(coded, data=nan), replace(coded, codec="png")]
    for each in wrong:
        with pytest.raises(WireError, match="tensor 'tokens': "):
            decode_tensor("tokens", each, TOKENS, torch.bfloat16)


@pytest.mark.slow
@pytest.mark.parametrize("reply", ["float32", "float16", "quantised", "bfloat16"])
def test_an_edge_of_half_precision_gets_tokens_of_half_precision(
    reply: str,
    wide: Picture,
    servers: VirtualServers,
    networks: FamilyNetworks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens: dict[torch.dtype, torch.Tensor] = {}
    finish = Edge.finish
    monkeypatch.setattr(
        Edge,
        "finish",
        lambda self, found, weights: (
            tokens.update({self.networks.dtype: found}),
            finish(self, found, weights),
        )[1],
    )
    features = {}
    for dtype in (torch.float32, torch.bfloat16):
        edge = replace(networks, dtype=dtype)
        done = run_pass(PedSam(servers=2, reply=reply), wide, servers, edge, np.random.default_rng(0))
        features[dtype] = done.embedding.features
    assert tokens[torch.float32].dtype == (torch.float16 if reply == "float16" else torch.float32)
    assert tokens[torch.bfloat16].dtype == torch.bfloat16
    rows = 16  # The last windows lie beyond the frame, so the edge computes their tokens.
    found, sent = (tokens[dtype][:, :rows] for dtype in (torch.bfloat16, torch.float32))
    assert torch.equal(found, sent.bfloat16())
    errors = (features[torch.bfloat16] - features[torch.float32]).norm() / features[torch.float32].norm()
    assert 0 < errors < 0.05

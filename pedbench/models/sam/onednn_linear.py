"""Linear layers by oneDNN, which is faster on CPUs than torch's default in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def linear(layer: Any, x: Tensor) -> Tensor:
    """Apply a linear layer to (..., in) values."""
    return _fused(layer, x, "none", "") if _fusible(layer, x) else layer(x)


def linear_gelu(layer: Any, activation: nn.GELU, x: Tensor) -> Tensor:
    """Apply a linear layer and a GELU to (..., in) values, fused if possible."""
    if _fusible(layer, x):
        return _fused(layer, x, "gelu", activation.approximate)
    return functional.gelu(layer(x), approximate=activation.approximate)


def _fusible(layer: Any, x: Tensor) -> bool:
    differentiated = torch.is_grad_enabled() and (x.requires_grad or layer.weight.requires_grad)
    plain = x.device.type == "cpu" and (
        x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and _bfloat16())
    )
    # Torch's compiler fuses by itself, and knows this operator only for constant weights.
    left_to_torch = torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return plain and not differentiated and not left_to_torch and _available()


def _fused(layer: Any, x: Tensor, activation: str, algorithm: str) -> Tensor:
    # The operator that `torch.compile` uses. Its result does not depend on the number of threads, to the last bit.
    product: Tensor = torch.ops.mkldnn._linear_pointwise(
        x, layer.weight, layer.bias, activation, [], algorithm
    )
    return product


def _available() -> bool:
    return torch.backends.mkldnn.is_available()  # type: ignore[no-any-return, no-untyped-call]


def _bfloat16() -> bool:
    """Return whether oneDNN multiplies bfloat16 here: on x86 it takes AVX-512."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())

"""Estimate of a fine-tuning's device memory before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pedbench.models.sam.architectures import Architecture
from pedbench.training.core.loop import Trainer

_KEPT = {"bf16": 60, "no": 109}
"""Bytes saved for the backward pass, per token, block and channel, with fused attention.

Measured for ViT-B, ViT-L and ViT-H with the fast encoder: 58 to 60 in bfloat16, besides the weights in that format,
and 105 to 109 in float32. Compiled encoders save less.
"""

_KEPT_BY_DECODER = {"bf16": 41, "no": 65}
"""Bytes saved for the mask loss, per token, channel of the neck and prompt; measured for these decoders."""


def activation_bytes(architecture: Architecture, precision: str, points: int = 0) -> int:
    """Estimate the bytes that one picture's forward pass saves for its backward pass.

    Args:
        precision: `bf16` or `no`.
        points: Prompts of the mask loss.
    """
    height, width = architecture.tokens
    encoder = architecture.depth * architecture.embed_dim * _KEPT[precision]
    decoder = points * architecture.neck_channels * _KEPT_BY_DECODER[precision]
    return height * width * (encoder + decoder)


def saved_bytes(forward: Callable[[], Tensor], network: nn.Module) -> int:
    """Return the bytes that a forward pass saves for its backward pass, besides the network's weights.

    Args:
        forward: Computes a loss.
        network: The network in training.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    saved: dict[int, int] = {}
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
            # A freed tensor's address would be used again.
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    return sum(saved.values())


def memory_plan(
    trainer: Trainer,
    frozen: Mapping[str, nn.Module],
    *,
    each: int,
    at_once: int,
    precision: str,
    processes: int,
) -> dict[str, int]:
    """Estimate the bytes that each process needs on its device, by purpose.

    Args:
        trainer: The trainer before its first step.
        frozen: Networks besides the trained one, by what they are.
        each: Bytes that one picture's forward pass saves.
        at_once: Pictures that a process computes together.
        precision: `bf16` or `no`.
        processes: Number of processes.
    """
    trained = sum(4 * p.numel() for p in trainer.network.parameters() if p.requires_grad)
    plan = {
        **{name: _size(network) for name, network in frozen.items()},
        "network": _size(trainer.network),
        "running average": _size(trainer.network),
        "gradients": trained * (2 if processes > 1 else 1),
        "optimisers": trainer.optimiser_bytes,
    }
    if precision == "bf16":
        plan["weights in bfloat16"] = trained // 2
    plan[f"activations of {at_once} pictures, about"] = at_once * each
    return plan


def shown(plan: dict[str, int], device: torch.device) -> str:
    """Format the plan as lines of text, with the device's memory if it is known."""
    gibibytes = {name: size / 2**30 for name, size in {**plan, "in all": sum(plan.values())}.items()}
    width = max(map(len, gibibytes))
    lines = [f"  {name:<{width}}  {size:6.2f} GiB" for name, size in gibibytes.items()]
    if device.type == "cuda":
        available = torch.cuda.get_device_properties(device).total_memory
        lines.append(f"  {'on the device':<{width}}  {available / 2**30:6.2f} GiB")
    return "\n".join(["memory of each process:", *lines])


def _size(module: Any) -> int:
    return sum(4 * tensor.numel() for tensor in module.state_dict().values())

"""What a fine-tuning needs of a device's memory, told before it starts."""

from __future__ import annotations

from typing import Any

from torch import nn

from pedbench.models.architectures import Architecture
from pedbench.training.loop import Trainer


def activation_bytes(architecture: Architecture, number_bytes: int) -> int:
    """What a forward pass of the encoder keeps for one picture's backward pass, roughly.

    Per token: two normalisations and two additions in float32; queries, keys and values, the attention's output
    and relative terms, and the hidden layer of the MLP before and after its activation. Fused attention keeps
    no attention map; its queries, keys and values have the relative terms as further channels.

    Args:
        number_bytes: Of a number in forward passes, 2 in bfloat16.
    """
    height, width = architecture.tokens
    tokens, channels, heads = height * width, architecture.embed_dim, architecture.heads
    total = 0
    for index in range(architecture.depth):
        is_global = index in architecture.global_blocks
        reach = height + width if is_global else 2 * architecture.window_size
        full_precision = 4 * channels * 4
        narrow = (2 + 3 + 1 + 1 + 2 * architecture.mlp_ratio) * channels
        augmented = 3 * (channels + heads * reach) + channels
        total += int(tokens * (full_precision + (narrow + augmented) * number_bytes))
    return total + tokens * (channels + 4 * architecture.neck_channels) * 4


def memory_plan(
    trainer: Trainer,
    teacher: nn.Module,
    architecture: Architecture,
    *,
    at_once: int,
    precision: str,
    processes: int,
) -> dict[str, int]:
    """Bytes that each process needs on its device, by what they are for.

    Args:
        trainer: Before its first step.
        teacher: The network that is imitated.
        architecture: Of the network in training.
        at_once: Pictures that a process computes on together.
        precision: `bf16` or `no`.
        processes: How many train together.
    """
    trained = sum(4 * p.numel() for p in trainer.network.parameters() if p.requires_grad)
    plan = {
        "teacher": _size(teacher),
        "network": _size(trainer.network),
        "running average": _size(trainer.network),
        "gradients": trained * (2 if processes > 1 else 1),
        "optimisers": trainer.optimiser_bytes,
    }
    if precision == "bf16":
        plan["weights in bfloat16"] = trained // 2
    plan[f"activations of {at_once} pictures, about"] = at_once * activation_bytes(
        architecture, 2 if precision == "bf16" else 4
    )
    return plan


def shown(plan: dict[str, int], available: int | None) -> str:
    """The plan as lines of text, and what the device has."""
    gibibytes = {name: size / 2**30 for name, size in {**plan, "in all": sum(plan.values())}.items()}
    width = max(map(len, gibibytes))
    lines = [f"  {name:<{width}}  {size:6.2f} GiB" for name, size in gibibytes.items()]
    if available is not None:
        lines.append(f"  {'on the device':<{width}}  {available / 2**30:6.2f} GiB")
    return "\n".join(["memory of each process:", *lines])


def _size(module: Any) -> int:
    return sum(4 * tensor.numel() for tensor in module.state_dict().values())

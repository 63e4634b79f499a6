"""The estimated memory of a fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.models.sam.architectures import VIT_B
from pedbench.models.sam.assembly import build_sam
from pedbench.training.core.loop import Schedule, Trainer
from pedbench.training.fine_tuning.memory_estimate import activation_bytes, memory_plan, saved_bytes, shown


@pytest.mark.long
def test_the_plan_counts_vit_b_as_it_is() -> None:
    network: Any = build_sam(VIT_B)
    network.requires_grad_(False).image_encoder.requires_grad_(True)
    trainer = Trainer(network, torch.nn.Module(), Schedule(steps=1), Path())
    each = activation_bytes(VIT_B, "bf16")
    plan = memory_plan(trainer, {"teacher": network}, each=each, at_once=4, precision="bf16", processes=1)
    encoder = sum(p.numel() for p in network.image_encoder.parameters())
    assert encoder == 89_670_912
    assert plan["gradients"] == 4 * encoder
    assert 4 * encoder < plan["optimisers"] < 8 * encoder
    assert "in all" in shown(plan, torch.device("cpu"))
    assert np.isfinite(sum(plan.values()))


def test_saved_bytes_are_what_the_backward_pass_needs() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.Sigmoid(), torch.nn.Linear(20, 5))
    pixels = torch.rand(3, 10)
    # Each layer keeps its input or, the sigmoid, its output, which is the next layer's input.
    expected = 4 * 3 * (10 + 20)
    assert saved_bytes(lambda: network(pixels).sum(), network) == expected

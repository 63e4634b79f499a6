"""Losses of masks: they fall where masks agree."""

from __future__ import annotations

import pytest
import torch

from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.checkpoints import load_sam
from pedbench.training.fine_tuning.distillation import annotated_mask_loss, mask_agreement_loss

pytestmark = pytest.mark.long


def test_masks_of_annotations_are_learned_where_there_are_objects() -> None:
    network = load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI)
    features = torch.randn(1, 128, 20, 20, generator=torch.Generator().manual_seed(0)).requires_grad_()
    points = torch.full((1, 2, 2), 100.0)
    targets = torch.zeros(1, 2, 80, 80)
    nothing = annotated_mask_loss(network, features, points, targets)
    assert nothing == 0
    targets[0, 0, 20:30, 20:30] = 1
    losses = []
    for _ in range(20):
        loss = annotated_mask_loss(network, features, points, targets)
        (slope,) = torch.autograd.grad(loss, features)
        features = (features - 20 * slope).detach().requires_grad_()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_masks_agree_where_embeddings_do() -> None:
    network = load_sam(ASSETS / "sam-mini.safetensors", SAM_MINI)
    teacher = torch.randn(1, 128, 20, 20, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[[40.0, 60.0], [200.0, 100.0]]])
    same, near, far = (
        float(mask_agreement_loss(network, teacher + shift, teacher, points).detach())
        for shift in (0.0, 0.1 * teacher.flip(2), teacher.flip(2))
    )
    assert same < near < far

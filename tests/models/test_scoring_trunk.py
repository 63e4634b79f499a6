"""The scoring trunk: its shipped form computes what the trained form does."""

from __future__ import annotations

import torch

from pedbench.models.scoring_trunk import CHANNELS, ScoringTrunk


def test_fused_trunk_equals_the_trained_one() -> None:
    torch.manual_seed(0)
    trained = ScoringTrunk()
    for part in trained.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.weight.data.uniform_(0.5, 2)
            part.bias.data.normal_()
            part.running_mean = torch.randn(part.num_features)
            part.running_var = 0.5 + torch.rand(part.num_features)
    shipped = ScoringTrunk(fused=True).eval()
    shipped.load_state_dict(trained.fuse().state_dict())
    pixels = torch.rand(2, 3, 50, 70) * 2 - 1
    with torch.inference_mode():
        expected, found = trained.eval()(pixels), shipped(pixels)
    assert [features.shape[1] for features in found] == list(CHANNELS)
    assert [features.shape[2:] for features in found] == [(25, 35), (13, 18), (7, 9), (4, 5)]
    for theirs, ours in zip(expected, found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)

"""The context network: what it reads of a view, and what comes back from its file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pedbench.adversary.prior import load_prior
from pedbench.inversion.hidden_context import hidden_by_network, seen_categories
from pedbench.models.attackers.context import (
    DETECTOR,
    ContextNetwork,
    ContextSizes,
    detector_features,
    load_context,
)
from pedbench.models.attackers.sized import save_sized
from pedbench.models.hub.detection import load_detector
from pedbench.models.manifest import shipped
from pedbench.pictures.frame import from_uint8
from pedbench.scenes.render import render
from pedbench.scenes.staging.furnish import CATEGORIES
from pedbench.types import Patch, View


@pytest.mark.slow
def test_hidden_pixels_are_not_read() -> None:
    detector = load_detector(str(shipped(DETECTOR)), "cpu").network
    pictures, visible = torch.rand(2, 3, 320, 320), torch.zeros(2, 1, 320, 320)
    visible[..., 64:128, 64:256] = 1
    changed = torch.where(visible > 0, pictures, torch.rand_like(pictures))
    first, second = (detector_features(detector, each, visible) for each in (pictures, changed))
    torch.testing.assert_close(first, second)
    shown = detector_features(detector, changed, torch.ones_like(visible))
    assert not torch.allclose(first, shown, atol=1e-2)


@pytest.mark.slow
def test_views_are_guessed_by_what_they_show() -> None:
    detector = load_detector(str(shipped(DETECTOR)), "cpu")
    network = load_context(shipped("context-mini.safetensors"))
    scene = render(2, 0, "val")
    frame = from_uint8(scene.image)
    size = (frame.shape[0], frame.shape[1])
    view = View(frame_size=size, patches=(Patch(picture=frame, top=0, left=0, server=0),), prior=load_prior())
    seen, true = seen_categories(view, detector, CATEGORIES), {each.category for each in scene.objects}
    assert len(true & {CATEGORIES[k] for k in np.flatnonzero(seen)}) >= len(true) / 2
    assert not seen_categories(view.blind(), detector, CATEGORIES).any()
    whole, blind = (hidden_by_network(each, network, detector) for each in (view, view.blind()))
    assert whole.shape == (len(CATEGORIES),)
    assert ((whole > 0) & (whole < 1)).all()
    assert whole.sum() < blind.sum()


def test_cells_beyond_the_frame_change_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ContextNetwork(ContextSizes(categories=3, channels=4, cells=4, width=8, heads=2)).eval()
    inside = torch.ones(1, 1, 4, 4)
    inside[..., 3, :] = 0
    features, visible = torch.randn(1, 4, 4, 4), inside.clone()
    other = torch.where(inside > 0, features, torch.randn_like(features))
    with torch.inference_mode():
        first, second = (network(each, visible, inside) for each in (features, other))
    torch.testing.assert_close(first, second)
    save_sized(network, tmp_path / "own.safetensors")
    with torch.inference_mode():
        assert torch.equal(load_context(tmp_path / "own.safetensors")(features, visible, inside), first)

"""Defenses that send what they declare pass the audit, and views show what was sent."""

from typing import Any

import numpy as np
import pytest

from pedbench.adversary.view import build_view, footprints
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.observation import observe
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.gaussian_blur import GaussianBlur
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.pixelate import Pixelate
from pedbench.plugins.defenses.random_payload import RandomPayload
from pedbench.privacy.disclosure_audit import Audit, same_messages
from pedbench.privacy.visibility import visible_mask
from pedbench.types import Picture, Prior
from tests.offload.cheating_defenses import W, judge, run

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


def view_of(seen: Any, servers: tuple[int, ...], frame: Picture, defense: Any) -> Any:
    return build_view(
        seen,
        servers,
        frame_size=frame.shape[:2],
        disclosure=defense.disclosure,
        description={},
        prior=PRIOR,
    )


@pytest.mark.parametrize("payload", ["pixels", "tokens16", "tokens32"])
def test_honest_windows_pass(
    frame: Picture, servers: VirtualServers, networks: FamilyNetworks, payload: str
) -> None:
    defense = PedSam(payload=payload, weights=W)
    seen, found = judge(defense, frame, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    covered = footprints(seen, 3, frame.shape[:2])
    assert (covered.sum(axis=0) == 1).all()
    if payload == "pixels":
        for server in range(3):
            view = view_of(seen, (server,), frame, defense)
            assert np.array_equal(visible_mask(view, frame), covered[server])
            assert np.array_equal(view.canvas()[0][covered[server]], frame[covered[server]])
        assert visible_mask(view_of(seen, (0, 1, 2), frame, defense), frame).all()


def test_full_offload_shows_all_and_the_device_nothing(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    seen, found = judge(FullOffload(weights=W), wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    assert visible_mask(view_of(seen, (0,), wide, FullOffload()), wide).all()
    seen, found = judge(OnDevice(weights=W), wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    assert not visible_mask(view_of(seen, (), wide, OnDevice()), wide).any()
    assert not footprints(seen, 3, wide.shape[:2]).any()


@pytest.mark.parametrize("defense", [GaussianBlur(), Pixelate()])
def test_degraded_pictures_are_hidden_but_held(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, defense: Any
) -> None:
    seen, found = judge(defense, wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    view = view_of(seen, (0,), wide, defense)
    assert not view.patches
    assert view.degraded_canvas()[1].all()
    assert not visible_mask(view, wide).any()


def test_a_blur_that_does_nothing_is_visible(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    defense = GaussianBlur(sigma=1e-6)
    seen, _ = judge(defense, wide, servers, networks)
    assert visible_mask(view_of(seen, (0,), wide, defense), wide).all()


def test_noise_discloses_nothing(wide: Picture, servers: VirtualServers, networks: FamilyNetworks) -> None:
    defense = RandomPayload(weights=W)
    defense.prepare("cpu")
    seen, found = judge(defense, wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    view = view_of(seen, (0, 1, 2), wide, defense)
    assert view.canvas()[1].all()
    assert visible_mask(view, wide).mean() < 1e-3
    first, second = (run(defense, frame, servers, networks).received for frame in (wide, wide[::-1].copy()))
    assert same_messages(first, second) == ""


def test_a_decoy_that_depends_on_the_picture_is_detected(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    first, second = (run(PedSam(weights=W), f, servers, networks).received for f in (wide, wide[::-1].copy()))
    assert "3 of 3 messages differ" in same_messages(first, second)
    # Only server 1's windows are unchanged, so only its messages are.
    grid_seen = observe(first, servers.operations, networks, wide.shape[:2])
    keep = footprints(grid_seen, 3, wide.shape[:2])[1]
    noisy = np.where(keep[..., None], wide, 1 - wide)
    third = run(PedSam(weights=W), noisy, servers, networks).received
    assert same_messages(first, third, servers=[1]) == ""
    assert same_messages(first, third, servers=[0]) != ""

from typing import Any

import numpy as np
import pytest

from pedbench.adversary.view import footprints
from pedbench.models.sam.architectures import SAM_MINI, VIT_B
from pedbench.offload.passes.assignment import assign, spread_home
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.privacy.disclosure_audit import Audit


@pytest.mark.parametrize("policy", ["round_robin", "contiguous", "dispersed", "random"])
@pytest.mark.parametrize("servers", [1, 2, 3, 4, 7, 25, 40])
@pytest.mark.parametrize(
    ("grid", "frame"), [(SAM_MINI.grid, (240, 320)), (SAM_MINI.grid, (320, 97)), (VIT_B.grid, (768, 1024))]
)
@pytest.mark.parametrize("home", [0.0, 0.3])
def test_the_bound_holds_and_is_reached(
    policy: str, servers: int, grid: WindowGrid, frame: tuple[int, int], home: float
) -> None:
    defense = PedSam(servers=servers, assignment=policy, home=home)
    windows = grid.active(frame)
    at_home = spread_home(windows, home)
    largest = []
    for seed in range(40 if policy == "random" else 1):
        owners = np.full(frame, servers)
        for server, part in assign(policy, windows, servers, np.random.default_rng(seed), at_home).items():
            for window in part:
                owners[grid.tile(window, frame).slices] = server
        largest.append(np.bincount(owners.reshape(-1), minlength=servers)[:servers].max() / owners.size)
    bound = defense.max_share(frame, grid)
    assert max(largest) <= bound + 1e-12
    if policy != "random" or servers in (1, 25, 40):
        assert max(largest) == pytest.approx(bound)


def test_figures_of_the_paper_s_grid() -> None:
    # 640x480 fills 20 of 25 windows; 25 servers get one each, of 224x224 pixels at most.
    bound = PedSam(servers=25, assignment="round_robin").max_share((768, 1024), VIT_B.grid)
    assert bound == pytest.approx(224 * 224 / (768 * 1024))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"servers": 0}, "at least one"),
        ({"assignment": "scattered"}, "scattered"),
        ({"payload": "gif"}, "payload is none of .* no codec named 'gif'"),
        ({"payload": "bfloat16"}, "takes float32"),
        ({"payload": "jpeg(quality=96)"}, "1..95"),
        ({"reply": "png"}, "reply is none of .*takes uint8"),
        ({"home": 1.0}, "home must lie in .* on_device"),
        ({"home": -0.1}, "found -0.1"),
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PedSam(**params)


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ["dispersed", "random"])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_share_at_home_is_sent_to_nobody_and_changes_no_feature(
    setting: Any, assignment: str, share: float
) -> None:
    frame = setting.picture()
    size = frame.shape[:2]
    done, seen, found = setting.judge(PedSam(assignment=assignment, home=share), frame)
    everything, all_seen, _ = setting.judge(PedSam(assignment=assignment), frame)
    assert found == Audit(whole_visible=(), invalid=())
    assert done.embedding.features.equal(everything.embedding.features)
    sent, otherwise = footprints(seen, 3, size), footprints(all_seen, 3, size)
    assert not (sent & ~otherwise).any()
    encoder = setting.networks.network("fine-tuned").image_encoder
    extent = encoder.blocks[0].window_size * encoder.patch_embed.proj.stride[0]
    windows = np.any(sent, axis=0)[::extent, ::extent]
    assert (~windows).sum() == round(share * windows.size)
    # Nor do further requests for the scene send what stayed at home.
    second = setting.run(PedSam(assignment=assignment, home=share), 1 - frame, seed=1)
    known = {tuple(place) for each in done.received for place in each.payload["positions"].tolist()}
    assert {tuple(place) for each in second.received for place in each.payload["positions"].tolist()} == known


def test_nothing_at_home_is_the_configuration_from_before() -> None:
    assert "home" not in PedSam(home=0.0).params
    assert PedSam().label == "ped_sam"
    assert PedSam(home=0.2).label == "ped_sam(home=0.2)"
    assert PedSam(home=0.2).params == PedSam().params | {"home": 0.2}

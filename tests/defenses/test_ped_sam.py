import numpy as np
import pytest

from pedbench.models.sam.architectures import SAM_MINI, VIT_B
from pedbench.offload.passes.assignment import assign
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.ped_sam import PedSam


@pytest.mark.parametrize("policy", ["round_robin", "contiguous", "dispersed", "random"])
@pytest.mark.parametrize("servers", [1, 2, 3, 4, 7, 25, 40])
@pytest.mark.parametrize(
    ("grid", "frame"), [(SAM_MINI.grid, (240, 320)), (SAM_MINI.grid, (320, 97)), (VIT_B.grid, (768, 1024))]
)
def test_the_bound_holds_and_is_reached(
    policy: str, servers: int, grid: WindowGrid, frame: tuple[int, int]
) -> None:
    defense = PedSam(servers=servers, assignment=policy)
    owners = np.zeros(frame, np.int64)
    largest = []
    for seed in range(40 if policy == "random" else 1):
        for server, part in assign(policy, grid.active(frame), servers, np.random.default_rng(seed)).items():
            for window in part:
                owners[grid.tile(window, frame).slices] = server
        largest.append(np.bincount(owners.reshape(-1)).max() / owners.size)
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
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PedSam(**params)

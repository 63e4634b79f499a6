import torch

from pedbench.models.sam.architectures import PED_MINI
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from tools.studies.stage_times import measure_host


def test_a_host_is_a_device_like_others() -> None:
    before = torch.get_num_threads()
    found = measure_host(PED_MINI, FamilyNetworks(family=MINI, random_seed=0), threads=1, repeats=1)
    assert torch.get_num_threads() == before
    assert min(found.window_rate, found.global_rate) > 0
    assert found.start >= 0
    assert found.encoder(PED_MINI) > found.global_stage(PED_MINI) > 0

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pedbench.models.family import MINI, FamilyNetworks
from pedbench.offload.virtual import VirtualServers
from pedbench.types import Picture

# The servers load `own_operations` by name, from this process's path.
sys.path.insert(0, str(Path(__file__).parent))

from made_pictures import picture

NETWORKS = FamilyNetworks(family=MINI, random_seed=0)


@pytest.fixture(scope="session")
def networks() -> FamilyNetworks:
    return NETWORKS


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[VirtualServers]:
    with VirtualServers(3, NETWORKS, modules=["own_operations"]) as servers:
        yield servers


@pytest.fixture
def servers(shared_servers: VirtualServers) -> VirtualServers:
    shared_servers.set_mode(turns=False, threads=1)
    return shared_servers


@pytest.fixture(params=[(240, 320), (320, 320), (320, 200)], ids=["wide", "square", "tall"])
def frame(request: pytest.FixtureRequest) -> Picture:
    return picture(request.param)


@pytest.fixture
def wide() -> Picture:
    return picture((240, 320))

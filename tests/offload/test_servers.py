import os
import select
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.builtin import source_hash
from pedbench.offload.servers import server
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import Call, decode_answer, encode_call

# A busy host is slow to end processes; waiting costs nothing where it is not.
PATIENCE = 60.0

ORPHANS = """
import multiprocessing.forkserver, sys
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.servers import virtual
from pedbench.offload.operations.builtin import source_hash
from pedbench.offload.servers.virtual import VirtualServers
if __name__ == "__main__":
    servers = VirtualServers(2, FamilyNetworks(family=MINI, random_seed=0))
    forkserver = multiprocessing.forkserver._forkserver._forkserver_pid
    print(*servers.pids(), forkserver, flush=True)
    {end}
"""


def ended(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


@pytest.mark.long
@pytest.mark.parametrize("end", ["killed", "failed"])
def test_servers_end_with_their_parent(tmp_path: Path, end: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHANS.replace("{end}", "sys.stdin.read()" if end == "killed" else "1 / 0"))
    parent = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    with parent:
        assert parent.stdout is not None
        pids = parent.stdout.readline().split()
        descriptors = []
        for pid in pids:
            try:
                descriptors.append(os.pidfd_open(int(pid)))
            except ProcessLookupError:
                assert end == "failed"
        if end == "killed":
            parent.kill()
        parent.wait(PATIENCE)
        for descriptor in descriptors:
            assert ended(descriptor, PATIENCE)
            os.close(descriptor)


def test_commands_reach_the_living_when_one_is_lost(networks: FamilyNetworks) -> None:
    with VirtualServers(2, networks) as servers:
        servers.kill(0)
        for _ in range(2):
            with pytest.raises(ServerLost, match=r"servers \[0\] are gone"):
                servers.set_mode(turns=False, threads=2)
        assert servers.restart_lost() == (0,)
        servers.forget()
        assert servers.collect() == [[], []]
        assert servers.restart_lost() == ()


def test_a_failing_command_says_why(servers: VirtualServers) -> None:
    with pytest.raises(RuntimeError, match="unknown weights 'none'"):
        servers.load("none")
    assert len(servers.collect()) == len(servers)


def test_unknown_modules_fail_before_anything_starts(networks: FamilyNetworks) -> None:
    with pytest.raises(ModuleNotFoundError):
        VirtualServers(1, networks, modules=["no_such_module"])


def test_other_code_on_the_server_is_refused(
    networks: FamilyNetworks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "changing.py"
    source = Path(__file__).with_name("own_operations.py").read_text()
    module.write_text(source)
    with VirtualServers(1, networks, modules=["changing"]) as servers:
        servers.kill(0)
        before = {name: source_hash(operation) for name, operation in servers.operations.items()}
        module.write_text(source + "\n# changed\n")
        # This process goes on with what it loaded; the new server loads the changed file.
        monkeypatch.setattr(server, "source_hash", lambda operation: before[operation.name])
        with pytest.raises(ValueError, match=r"other code .* 'echo'"):
            servers.restart_lost()


def test_garbage_gets_an_error_and_stays_on_record(servers: VirtualServers) -> None:
    servers.forget()
    answer = decode_answer(servers.call(0)(b"\xff\xff"), {}, "")
    assert "WireError" in answer.error
    unknown = encode_call(Call(operation="nothing", request=0, sequence=0))
    assert "unknown operation 'nothing'" in decode_answer(servers.call(0)(unknown), {}, "").error
    tapped = servers.collect()
    assert [message.data for message in tapped[0]] == [b"\xff\xff", unknown]
    assert tapped[1:] == [[]] * (len(servers) - 1)
    servers.forget()
    assert servers.collect() == [[]] * len(servers)


def test_messages_beyond_the_limit_are_refused(servers: VirtualServers) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        servers.call(0)(bytes(65 * 2**20))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

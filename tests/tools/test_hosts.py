"""The hosts of the test rig: each with an address of its own, behind a link with the rate and delay that were named."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from pedbench.network.links import Direction, Link
from tools.hosts.network import SERVERS, Hosts, NoHosts, hosts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.privileged,
    pytest.mark.skipif(os.geteuid() != 0, reason="takes root: namespaces and their queues"),
]

LINK = Link(name="test", up=Direction(rate=8, delay=20), down=Direction(rate=80, delay=20))

RECEIVER = """
import socket, time
listener = socket.create_server(("", 5000))
print(time.monotonic(), flush=True)
connection = listener.accept()[0]
while connection.recv(65536): pass
"""
SENDER = """
import socket, sys, time
began = time.monotonic()
connection = socket.create_connection((sys.argv[1], 5000))
connected = time.monotonic()
connection.sendall(bytes(500_000))
connection.shutdown(socket.SHUT_WR)
connection.recv(1)
print(connected - began, time.monotonic() - connected)
"""


def python(rig: Hosts, host: str, code: str, *arguments: str, clock: float = 0.0) -> subprocess.Popen[str]:
    command = [*rig.within(host, clock), sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_rate_delay_and_clock_are_as_named_and_nothing_stays() -> None:
    try:
        with hosts(LINK) as rig:
            connecting: list[float] = []
            sending: list[float] = []
            for server in SERVERS:
                with python(rig, server, RECEIVER, clock=1000) as receiver:
                    assert receiver.stdout is not None
                    ahead = float(receiver.stdout.readline())
                    assert 990 < ahead - time.monotonic() < 1001
                    output = python(rig, "edge", SENDER, rig.address(server)).communicate(timeout=30)[0]
                    for times, seconds in zip((connecting, sending), output.split(), strict=True):
                        times.append(float(seconds))
            # On a busy machine packets wait for the process that delays them.
            assert 0.04 <= min(connecting) < 0.2
            # 500 kB with headers at 8 Mbit/s, and the last packet's round trip.
            assert 0.95 < min(sending) / (0.52 + 0.04) < 2
    except NoHosts as error:
        pytest.skip(str(error))
    assert (
        rig.prefix not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    )

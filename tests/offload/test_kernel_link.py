"""The emulated link compared with the kernel's queues, between two processes in two network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tools.hosts.network import DELAY_LINE

ENDS = Path(__file__).with_name("link_ends.py")
EDGE, SERVER = f"pb{os.getpid()}e", f"pb{os.getpid()}s"
ADDRESS = {EDGE: "10.83.0.1", SERVER: "10.83.0.2"}
QUEUE = {
    "netem": "netem rate {rate}mbit delay {delay}ms limit 100000",
    "tbf": "tbf rate {rate}mbit burst 4kb limit 64mb",
}
DELAY = 20

pytestmark = [
    pytest.mark.long,
    pytest.mark.privileged,
    pytest.mark.skipif(
        os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("tc")),
        reason="takes root and iproute2: namespaces and their queues",
    ),
]


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@contextmanager
def answering(command: list[str]) -> Iterator[None]:
    """Start a process and wait until it is ready; it ends when its standard input is closed."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def kernel_link(kind: str, rate: int) -> Iterator[None]:
    """Make two namespaces with a link between them, in which each end sends through a queue of the kernel.

    `netem` delays, too; for `tbf`, packets wait in a process between two devices.
    """
    with ExitStack() as undo:
        try:
            for space in (EDGE, SERVER):
                run("ip", "netns", "add", space)
                undo.callback(run, "ip", "netns", "del", space)
            if kind == "netem":
                run(*f"ip link add wire netns {EDGE} type veth peer name wire netns {SERVER}".split())
            else:
                delay = [sys.executable, str(DELAY_LINE), EDGE, SERVER, str(DELAY / 1000)]
                undo.enter_context(answering(delay))
                for space in (EDGE, SERVER):
                    run(*f"ip link set {space} netns {space} name wire txqueuelen 10000".split())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        for space, other in ((EDGE, SERVER), (SERVER, EDGE)):
            ends = f"{ADDRESS[space]} peer {ADDRESS[other]}"
            run(*f"ip -n {space} addr add {ends} dev wire".split())
            for device in ("lo", "wire"):
                run(*f"ip -n {space} link set {device} up".split())
            # The model describes a warm connection.
            setting = "net.ipv4.tcp_slow_start_after_idle=0"
            run("ip", "netns", "exec", space, "sysctl", "-q", "-w", setting)
            queue = QUEUE[kind].format(rate=rate, delay=DELAY)
            try:
                run("tc", "-n", space, *f"qdisc add dev wire root {queue}".split())
            except subprocess.CalledProcessError as error:
                pytest.skip(f"this kernel has no {kind}: {error.stderr.strip()}")
        yield


def measure(serve_in: str, call_in: str, rate: float, delay: float) -> dict[str, list[float]]:
    """Measure the seconds of uplink and downlink between two processes, by message size."""

    def end(space: str, *arguments: object) -> list[str]:
        return ["ip", "netns", "exec", space, sys.executable, str(ENDS), *map(str, arguments)]

    command = end(call_in, "call", ADDRESS[serve_in], rate, delay, 5)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with answering(end(serve_in, "serve", ADDRESS[serve_in])):
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=120, env=environment
        )
    seconds: dict[str, list[float]] = json.loads(done.stdout)
    return seconds


@pytest.mark.parametrize("rate", [20, 100])
@pytest.mark.parametrize("kind", list(QUEUE))
def test_both_give_the_same_phases(kind: str, rate: int) -> None:
    with kernel_link(kind, rate):
        real = measure(SERVER, EDGE, 0, 0)
        # Both ends are in one namespace: the transport emulates the link.
        emulated = measure(SERVER, SERVER, rate, DELAY)
    print(kind, rate, real, emulated)
    for size in real:
        assert emulated[size] == pytest.approx(real[size], rel=0.15), size

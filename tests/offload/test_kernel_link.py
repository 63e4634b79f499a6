"""The emulated link against the kernel's own queues, between two processes in two network namespaces."""

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

ENDS = Path(__file__).with_name("link_ends.py")
EDGE, SERVER = f"pb{os.getpid()}e", f"pb{os.getpid()}s"
ADDRESS = {EDGE: "10.83.0.1", SERVER: "10.83.0.2"}
SHAPE = {
    # How the kernel is told, and whether it can also delay.
    "netem": "netem rate {rate}mbit delay {delay}ms limit 100000",
    "tbf": "tbf rate {rate}mbit burst 4kb limit 64mb",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.privileged,
    pytest.mark.skipif(
        os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("tc")),
        reason="takes root and iproute2: namespaces and their queues",
    ),
]


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@contextmanager
def kernel_link(queue: str) -> Iterator[None]:
    """Two namespaces and a wire between them, each end sending through a queue of the kernel's."""
    with ExitStack() as undo:
        try:
            for space in (EDGE, SERVER):
                run("ip", "netns", "add", space)
                undo.callback(run, "ip", "netns", "del", space)
            run(*f"ip link add wire netns {EDGE} type veth peer name wire netns {SERVER}".split())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        for space in (EDGE, SERVER):
            run(*f"ip -n {space} addr add {ADDRESS[space]}/24 dev wire".split())
            for device in ("lo", "wire"):
                run(*f"ip -n {space} link set {device} up".split())
            # The model is a warm connection's.
            setting = "net.ipv4.tcp_slow_start_after_idle=0"
            run("ip", "netns", "exec", space, "sysctl", "-q", "-w", setting)
            try:
                run("tc", "-n", space, *f"qdisc add dev wire root {queue}".split())
            except subprocess.CalledProcessError as error:
                pytest.skip(f"this kernel has no {queue.split()[0]}: {error.stderr.strip()}")
        yield


def measure(serve_in: str, call_in: str, rate: float, delay: float) -> dict[str, list[float]]:
    """Seconds of uplink and downlink by size, between two processes."""

    def end(space: str, *arguments: object) -> list[str]:
        return ["ip", "netns", "exec", space, sys.executable, str(ENDS), *map(str, arguments)]

    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    serve = end(serve_in, "serve", ADDRESS[serve_in])
    with subprocess.Popen(
        serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        asked = end(call_in, "call", ADDRESS[serve_in], rate, delay, 5)
        said = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=120, env=environment)
        server.stdin.close()
        server.wait(30)
    found: dict[str, list[float]] = json.loads(said.stdout)
    return found


@pytest.mark.parametrize("rate", [20, 100])
@pytest.mark.parametrize(("kind", "delay"), [("netem", 20), ("tbf", 0)])
def test_both_give_the_same_phases(kind: str, delay: int, rate: int) -> None:
    with kernel_link(SHAPE[kind].format(rate=rate, delay=delay)):
        real = measure(SERVER, EDGE, 0, 0)
        # Both ends in one namespace: what is between them is emulated in the transport.
        emulated = measure(SERVER, SERVER, rate, delay)
    print(kind, rate, delay, real, emulated)
    sizes = ("large", "small") if delay else ("large",)
    for size in sizes:
        assert emulated[size] == pytest.approx(real[size], rel=0.15), size

"""An edge and three servers in network namespaces, behind a router that the edge reaches over a slow link."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pedbench.network.links import Link

DELAY_LINE = Path(__file__).with_name("delay_line.py")

SERVERS = ("one", "two", "three")

_NEEDED = ("ip", "tc", "unshare", "sysctl")


class NoHosts(OSError):
    """This machine cannot make the hosts; the message says what it lacks."""


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts while they exist.

    Attributes:
        prefix: Beginning of the namespaces' names.
    """

    prefix: str

    def space(self, host: str) -> str:
        """Return the network namespace of "edge", "router" or a server."""
        return f"{self.prefix}{host}"

    def address(self, server: str, last: int = 2) -> str:
        """Return an address in a server's network; the server has the one that ends in 2."""
        return f"10.84.{SERVERS.index(server) + 1}.{last}"

    def within(self, host: str, clock: float = 0.0) -> list[str]:
        """Return the beginning of a command that runs on a host.

        Args:
            clock: Seconds by which the host's monotonic clock is ahead.
        """
        shifted = f"unshare --time --monotonic {clock:.0f} --fork --kill-child".split() if clock else []
        return ["ip", "netns", "exec", self.space(host), *shifted]

    def ip(self, host: str, command: str) -> None:
        """Run a command of `ip` on a host, e.g. "link set net down"."""
        _run("ip", "-n", self.space(host), *command.split())


@contextmanager
def hosts(link: Link) -> Iterator[Hosts]:
    """Make the hosts, and remove them in the end.

    Each direction of the edge's access has the link's rate by a token bucket of the kernel, and its delay by
    `delay_line`, as not all kernels have netem. Jitter and loss of the link are left out.

    Raises:
        NoHosts: Not root, a program is missing, or the kernel lacks namespaces, tun devices or tbf.
    """
    lacking = [name for name in _NEEDED if not shutil.which(name)]
    if os.geteuid() != 0 or lacking:
        raise NoHosts(f"hosts take root and iproute2, util-linux and procps; lacking: {lacking or 'root'}.")
    rig = Hosts(prefix=f"pb{os.getpid()}")
    with ExitStack() as undo:
        for host in ("edge", "router", *SERVERS):
            _run("ip", "netns", "add", rig.space(host))
            undo.callback(_run, "ip", "netns", "del", rig.space(host))
            rig.ip(host, "link set lo up")
            # The model of a link describes warm connections.
            _run(*rig.within(host), "sysctl", "-qw", "net.ipv4.tcp_slow_start_after_idle=0")
        _run(*rig.within("router"), "sysctl", "-qw", "net.ipv4.ip_forward=1")
        undo.enter_context(_delaying(rig, link.up.delay / 1000))
        for host, near, far, rate in (
            ("edge", "10.84.0.2", "10.84.0.1", link.up.rate),
            ("router", "10.84.0.1", "10.84.0.2", link.down.rate),
        ):
            rig.ip(host, f"addr add {near} peer {far} dev access")
            rig.ip(host, "link set access up")
            queue = f"qdisc add dev access root tbf rate {rate}mbit burst 4kb limit 64mb"
            _run("tc", "-n", rig.space(host), *queue.split())
        rig.ip("edge", "route add default via 10.84.0.1")
        for server in SERVERS:
            rig.ip("router", f"link add {server} type veth peer name net netns {rig.space(server)}")
            for host, device, last in (("router", server, 1), (server, "net", 2)):
                rig.ip(host, f"addr add {rig.address(server, last)}/24 dev {device}")
                rig.ip(host, f"link set {device} up")
            rig.ip(server, f"route add default via {rig.address(server, 1)}")
        yield rig


@contextmanager
def _delaying(rig: Hosts, seconds: float) -> Iterator[None]:
    """Connect edge and router by devices named "access" whose packets take some seconds."""
    names = [f"{rig.prefix}{end}" for end in "er"]
    command = [sys.executable, str(DELAY_LINE), *names, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as line:
        assert line.stdin is not None
        assert line.stdout is not None
        try:
            if line.stdout.readline() != "ready\n":
                raise NoHosts("the kernel makes no tun devices: is /dev/net/tun there?")
            for name, host in zip(names, ("edge", "router"), strict=True):
                _run(*f"ip link set {name} netns {rig.space(host)} name access txqueuelen 10000".split())
            yield
        finally:
            line.stdin.close()
            line.wait(30)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoHosts(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}.")

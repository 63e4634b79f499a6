"""Faults between hosts: what causes each, and what repairs it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from tools.hosts.network import Hosts

Change = Callable[[Hosts], None]


def _setting(value: int) -> Change:
    def change(rig: Hosts) -> None:
        for host in ("edge", "one"):
            option = f"net.ipv4.tcp_slow_start_after_idle={value}"
            subprocess.run([*rig.within(host), "sysctl", "-qw", option], check=True)

    return change


def _mtu(size: int) -> Change:
    def change(rig: Hosts) -> None:
        rig.ip("router", f"link set one mtu {size}")
        rig.ip("one", f"link set net mtu {size}")

    return change


def _cable(state: str) -> Change:
    return lambda rig: rig.ip("router", f"link set one {state}")


def _move(before: int, after: int) -> Change:
    def change(rig: Hosts) -> None:
        rig.ip("one", f"addr del {rig.address('one', before)}/24 dev net")
        rig.ip("one", f"addr add {rig.address('one', after)}/24 dev net")
        rig.ip("one", f"route replace default via {rig.address('one', 1)}")

    return change


FAULTS: dict[str, tuple[Change, Change]] = {
    "none": (lambda _: None, lambda _: None),
    "packets of at most 600 bytes behind the router": (_mtu(600), _mtu(1500)),
    "slow start after each idle time": (_setting(1), _setting(0)),
    "cable pulled": (_cable("down"), _cable("up")),
    "address changed": (_move(2, 3), _move(3, 2)),
}

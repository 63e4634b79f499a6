"""A delayed link for kernels without `netem`: `python delay_line.py DEVICE DEVICE SECONDS`.

The program makes two network devices, prints "ready", and carries packets between them with a delay until its standard
input is closed. The devices may be moved to other namespaces in the meantime.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001


def open_device(name: str) -> int:
    """Make a device whose packets are read from and written to a file.

    Raises:
        OSError: The kernel has no such devices, or this user may not make them.
    """
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN_WITHOUT_HEADER))
    return device


def carry(one: int, other: int, seconds: float) -> None:
    """Carry packets between two devices, each `seconds` later, until the standard input is closed."""
    peers = {one: other, other: one}
    waiting: dict[int, deque[tuple[float, bytes]]] = {one: deque(), other: deque()}
    while True:
        dues = [packets[0][0] for packets in waiting.values() if packets]
        timeout = max(0.0, min(dues) - time.monotonic()) if dues else None
        ready: list[int] = select.select([one, other, sys.stdin.fileno()], [], [], timeout)[0]
        if sys.stdin.fileno() in ready:
            return
        for device in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(device, 65536)
                    waiting[peers[device]].append((time.monotonic() + seconds, packet))
        for device, packets in waiting.items():
            while packets and packets[0][0] <= time.monotonic():
                try:
                    os.write(device, packets.popleft()[1])
                except OSError as error:
                    # A device that is not up yet drops packets.
                    if error.errno != errno.EIO:
                        raise


if __name__ == "__main__":
    one, other = (open_device(name) for name in sys.argv[1:3])
    print("ready", flush=True)
    carry(one, other, float(sys.argv[3]))

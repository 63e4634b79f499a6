"""A link between the edge and its servers, emulated without privileges: a queue for each direction.

The model: a device has one queue out and one in, shared by all servers. Messages are put on the wire one after another
at the link's rate. They arrive after the delay, which does not hold up the next message. A lost packet is put on the
wire again, and each round of losses delays its message by a round trip. Messages between the edge and one server arrive
in order. The time on this host's own loopback is added.

Not modelled: TCP's slow start and its slowing down after losses. It is the link of warm connections.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from pedbench.network.links import PACKET, Direction, Link


@dataclass(kw_only=True)
class LinkQueue:
    """One direction of a link, in seconds of any monotonic clock.

    Attributes:
        direction: Rate, delay, jitter and loss.
        back: Delay of the other direction in seconds; both delays make a round trip.
        seed: Determines, with the message's number, its jitter and losses, whenever it is sent.
        free: Time at which the wire becomes free.
    """

    direction: Direction
    back: float
    seed: tuple[int, int]
    free: float = 0.0
    _arrived: dict[int, float] = field(default_factory=dict)

    def send(self, now: float, size: int, server: int, number: int) -> float:
        """Put a message on the wire.

        Args:
            now: Time of the call; never earlier than in the call before.
            size: Bytes of the message.
            server: Index of the server that sends or receives it.
            number: Index of the message in its pass.

        Returns:
            The time at which its last byte arrives.
        """
        rng = np.random.default_rng((*self.seed, number))
        lost = max(1, -(-size // PACKET))
        delay = (self.direction.delay + self.direction.jitter * rng.uniform(-1, 1)) / 1000
        wire, resent = self.direction.seconds(size), 0
        while self.direction.loss and (lost := int(rng.binomial(lost, self.direction.loss))):
            wire += self.direction.seconds(lost * PACKET)
            resent += 1
        self.free = max(now, self.free) + wire
        trip = self.direction.delay / 1000 + self.back
        arrival = max(self.free + delay + resent * trip, self._arrived.get(server, 0.0))
        self._arrived[server] = arrival
        return arrival


def link_queues(link: Link, seed: int) -> tuple[LinkQueue, LinkQueue]:
    """Return the idle queues of a link: up and down."""
    return (
        LinkQueue(direction=link.up, back=link.down.delay / 1000, seed=(seed, 0)),
        LinkQueue(direction=link.down, back=link.up.delay / 1000, seed=(seed, 1)),
    )


class Transport:
    """Emulation of a link for one pass: delays messages on this host's clock.

    Args:
        link: The link; `loopback` delivers at once.
        seed: Seed of jitter and losses.
    """

    def __init__(self, link: Link, seed: int) -> None:
        self._emulated = link.emulated
        self._up, self._down = link_queues(link, seed)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._deliver, name=f"link {link.name}", daemon=True)
        if self._emulated:
            self._thread.start()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and drop messages that are still under way: nobody waits for them any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._emulated:
            self._thread.join()

    def up(self, size: int, server: int, number: int, deliver: Callable[[], None]) -> None:
        """Call `deliver` when a message of the edge reaches the server; see `LinkQueue.send`."""
        self._send(self._up, size, server, number, deliver)

    def down(self, size: int, server: int, number: int, deliver: Callable[[], None]) -> None:
        """Call `deliver` when a reply reaches the edge."""
        self._send(self._down, size, server, number, deliver)

    def _send(
        self, queue: LinkQueue, size: int, server: int, number: int, deliver: Callable[[], None]
    ) -> None:
        if not self._emulated:
            deliver()
            return
        with self._changed:
            due = queue.send(time.monotonic(), size, server, number)
            heapq.heappush(self._due, (due, next(self._order), deliver))
            self._changed.notify()

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    if self._closed:
                        return
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                deliver = heapq.heappop(self._due)[2]
            deliver()

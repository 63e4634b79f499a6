"""Named links between the edge and its servers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tomli

from pedbench.errors import suggestion

FILE = Path(__file__).with_name("links.toml")

PACKET, HEADERS = 1448, 66
"""Bytes of a packet's payload, and of its Ethernet, IPv4 and TCP headers."""

LOOPBACK = "loopback"
"""Name of this host's own link: nothing is emulated."""

NETWORK = "network"
"""Name of the link between machines, where servers run on others: it is measured as it is."""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """One direction of a link.

    Attributes:
        rate: Megabits per second, 0 for no limit.
        delay: One-way delay in milliseconds.
        jitter: Largest deviation of a message's delay from `delay`, in milliseconds (uniform).
        loss: Share of the packets that are lost and sent again.
    """

    rate: float
    delay: float
    jitter: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        if min(self.rate, self.delay, self.jitter, self.loss) < 0 or self.loss >= 1:
            raise ValueError(f"expected nothing negative and a loss below 1, found {self}")
        if self.jitter > self.delay:
            raise ValueError(f"jitter must not exceed the delay, found {self}")

    def seconds(self, size: int) -> float:
        """Return the time to put a message of `size` bytes on the wire, packet headers included."""
        packets = max(1, -(-size // PACKET))
        return (size + packets * HEADERS) * 8 / (self.rate * 1e6) if self.rate else 0.0


@dataclass(frozen=True, kw_only=True)
class Link:
    """The edge device's access to the network, shared by all its servers."""

    name: str
    up: Direction
    down: Direction

    @property
    def emulated(self) -> bool:
        """Whether the transport delays messages as the link would."""
        return self.name not in (LOOPBACK, NETWORK)


@cache
def links() -> dict[str, Link]:
    """Return the links of `links.toml` by name."""
    directions = tomli.loads(FILE.read_text(encoding="utf-8"))
    return {
        name: Link(name=name, up=Direction(**item["up"]), down=Direction(**item["down"]))
        for name, item in directions.items()
    }


def find_link(name: str) -> Link:
    """Look up a link by its name.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in links():
        raise ValueError(
            f"there is no link {name!r}{suggestion(name, links())}. Known: {', '.join(links())}."
        )
    return links()[name]

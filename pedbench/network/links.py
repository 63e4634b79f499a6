"""Named links between the edge and its servers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pedbench.errors import suggestion

FILE = Path(__file__).with_name("links.toml")

PACKET, HEADERS = 1448, 66
"""Bytes that a packet carries of a message, and those of its Ethernet, IPv4 and TCP headers."""

LOOPBACK = "loopback"
"""The link that is this host's own: nothing is emulated."""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """One direction of a link.

    Attributes:
        rate: Megabits a second, 0 for no limit.
        delay: Milliseconds on the way.
        jitter: Each message's delay is drawn from `delay` plus or minus so many milliseconds.
        loss: Share of the packets that have to be sent again.
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
        """How long it takes to put a message of so many bytes on the wire, with the packets' headers."""
        packets = max(1, -(-size // PACKET))
        return (size + packets * HEADERS) * 8 / (self.rate * 1e6) if self.rate else 0.0


@dataclass(frozen=True, kw_only=True)
class Link:
    """The edge device's way to the network and back, which all its servers share."""

    name: str
    up: Direction
    down: Direction

    @property
    def emulated(self) -> bool:
        """Whether it differs from this host's own."""
        return self.name != LOOPBACK


@cache
def links() -> dict[str, Link]:
    """The links of `links.toml` by name."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        name: Link(name=name, up=Direction(**given["up"]), down=Direction(**given["down"]))
        for name, given in found.items()
    }


def find_link(name: str) -> Link:
    """A link by its name.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in links():
        raise ValueError(
            f"there is no link {name!r}{suggestion(name, links())}. Known: {', '.join(links())}."
        )
    return links()[name]

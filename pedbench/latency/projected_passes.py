"""Turn-taking passes put on named devices: times of the way `projected`, which nothing here measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pedbench.latency import multiply_adds
from pedbench.latency.devices import THIS_HOST, find_device, published_times
from pedbench.latency.projection import rescale
from pedbench.measure.bench import Row
from pedbench.measure.pass_times import phases
from pedbench.models.sam.architectures import Architecture, architecture
from pedbench.network.links import Link
from pedbench.offload.passes.timing import Clock, Rounds, lower_bound, turn_times

WAY = "projected"


@dataclass(frozen=True, kw_only=True)
class Turns:
    """What is kept of a pass whose servers took turns.

    Attributes:
        image: Id of the picture.
        decoder: Seconds of the mask decoder behind it.
        seeds: Of every link's jitter and losses.
    """

    image: str
    rounds: Rounds
    clock: Clock
    decoder: float
    seeds: Mapping[Link, int]

    @property
    def edge(self) -> float:
        """Seconds of the edge's part of the model."""
        return turn_times(self.rounds, self.clock, next(iter(self.seeds))).edge

    def on(self, edge: float, server: float) -> Iterator[tuple[Link, Row]]:
        """Seconds by phase over every link, on devices that take so many times as long."""
        rounds, clock = rescale(self.rounds, self.clock, edge=edge, server=server)
        for link, seed in self.seeds.items():
            times, least = turn_times(rounds, clock, link, seed), lower_bound(rounds, clock, link)
            for phase, seconds in {**phases(times, least), "decoder": edge * self.decoder}.items():
                yield link, {"image": self.image, "metric": WAY, "region": phase, "value": seconds}


@dataclass(frozen=True, kw_only=True)
class Role:
    """What the edge or each server is taken for.

    Attributes:
        device: Its name; `this-host` leaves times as they were measured.
        about: What it is.
        published: Milliseconds by architecture that it is calibrated on.
        seconds: Of the whole encoder on it.
        factor: How many times as long as on this host that is.
        sizes: By architecture of `published`: how many times the multiply-adds of the one that was timed here.
    """

    device: str
    about: str
    published: Mapping[str, float]
    seconds: float
    factor: float
    sizes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What projected times assume.

    Attributes:
        model: Name of the architecture of the encoder.
        host_seconds: Of the whole encoder on this host, measured in the same run.
    """

    model: str
    host_seconds: float
    edge: Role
    server: Role


@dataclass(frozen=True, kw_only=True)
class Devices:
    """Names of the devices that passes are put on.

    Raises:
        ValueError: One is unknown.
    """

    edge: str
    server: str

    def __post_init__(self) -> None:
        for name in (self.edge, self.server):
            if name != THIS_HOST:
                find_device(name)

    def against(self, of: Architecture, on_device: Sequence[Turns]) -> Projection:
        """Compare the devices with this host.

        Args:
            of: The architecture of the encoder.
            on_device: Passes whose edge ran all of it.
        """
        host = median(each.edge for each in on_device)
        return Projection(
            model=of.name,
            host_seconds=host,
            edge=_role(self.edge, of, host),
            server=_role(self.server, of, host),
        )


def _role(name: str, of: Architecture, host: float) -> Role:
    if name == THIS_HOST:
        return Role(device=name, about="as measured", published={}, seconds=host, factor=1.0, sizes={})
    device, published = find_device(name), published_times(name)
    seconds = device.encoder(of)
    return Role(
        device=name,
        about=device.about,
        published=published,
        seconds=seconds,
        factor=seconds / host,
        sizes={
            each: multiply_adds.encoder(architecture(each)) / multiply_adds.encoder(of) for each in published
        },
    )

"""What `pedbench latency` sets up: the plan, the edge's models, and servers here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from pedbench.adversary.prior import load_prior
from pedbench.host.console import Console
from pedbench.host.provenance import provenance
from pedbench.latency.comparison import LINKS, NETWORK, SERVERS, Timings, compare, comparison
from pedbench.latency.jetson import jetson_facts
from pedbench.latency.projected_passes import Devices
from pedbench.measure.bench import PassBench
from pedbench.measure.operation_modules import operation_modules
from pedbench.models.sam.family import WEIGHTS, Family, FamilyNetworks
from pedbench.network.certificates import Identity
from pedbench.network.links import LOOPBACK, links
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.registry import Registry, source_hash
from pedbench.suites.plan import make_plan
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import Suite


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the command line asks for.

    Attributes:
        links: Over which wall times are measured; () for the suite's, or the usual ones.
        warmup: Pictures; None for the suite's.
        devices: What turn-taking passes are put on.
        addresses: Of servers on other machines; () for processes of this host.
        identity: The edge's certificates; None for connections without TLS.
    """

    overrides: Overrides
    family: Family
    random: bool
    links: tuple[str, ...]
    warmup: int | None
    device: str
    dtype: torch.dtype
    devices: Devices
    deadline: float
    addresses: tuple[str, ...]
    identity: Identity | None


@dataclass(kw_only=True)
class Session:
    """Everything that is needed to measure.

    Attributes:
        measured: Names of the links over which wall times are measured.
    """

    bench: PassBench
    wishes: Wishes
    measured: tuple[str, ...]

    def measure(self, console: Console) -> Iterator[Timings]:
        """Time every defense; after each of them there is everything so far."""
        turns = self.bench.plan.suite.latency.turn_taking and not self.wishes.addresses
        return compare(self.bench, self.measured, console, turn_taking=turns, devices=self.wishes.devices)

    @property
    def facts(self) -> dict[str, Any]:
        """Where the numbers come from, as JSON values."""
        plan, servers = self.bench.plan, self.bench.servers
        weights = {} if self.wishes.random else self.wishes.family.digests(WEIGHTS)
        sources = {of.defense.label: source_hash(type(of.defense)) for of in plan.defenses}
        known = provenance(run_id="", device=self.wishes.device, sources=sources, weights=weights)
        remote = servers if isinstance(servers, RemoteServers) else None
        return {
            **{key: value for key, value in known.items() if key != "run_id"},
            "suite": plan.suite.name,
            "dataset": f"{plan.dataset.name} {plan.dataset.revision}",
            "model": plan.family.name,
            "random_weights": self.wishes.random,
            "dtype": str(self.wishes.dtype).removeprefix("torch."),
            "warmup": plan.suite.latency.warmup,
            "jetson": jetson_facts(),
            "measured_links": [NETWORK] if remote else list(self.measured),
            "servers": [
                {**fact, "clock_offset": asdict(offset)}
                for fact, offset in zip(remote.facts, remote.offsets, strict=True)
            ]
            if remote
            else [],
        }


@contextmanager
def open_session(suite: Suite, wishes: Wishes, registry: Registry, console: Console) -> Iterator[Session]:
    """Make the plan, load the models and start or connect the servers.

    Raises:
        PluginError: A plugin is unknown or broken, or a parameter is wrong.
        ValueError: The suite, the dataset or a server does not fit.
        ConnectionError: A server cannot be reached.
    """
    there = len(wishes.addresses)
    counts = sorted({*(count for count in SERVERS if count < there), there}) if there else SERVERS
    own = tuple(suite.latency.links) if set(suite.latency.links) - {LOOPBACK} else LINKS
    measured = (LOOPBACK,) if there else wishes.links or own
    # Composed times cost nothing: they are made for all links.
    timed = list(dict.fromkeys([LOOPBACK] if there else [*measured, *links()]))
    warmup = suite.latency.warmup if wishes.warmup is None else wishes.warmup
    latency = suite.latency.model_copy(update={"links": timed, "warmup": warmup})
    # Times of passes in which the edge did the work of servers would be none of the defense.
    expected = suite.servers.model_copy(update={"deadline": wishes.deadline, "on_lost": "fail"})
    limit = wishes.overrides.limit or latency.samples
    resolved = resolve(
        comparison(suite.model_copy(update={"latency": latency, "servers": expected}), counts),
        replace(wishes.overrides, limit=limit),
        registry,
    )
    with console.stage("reading the dataset and the weights"):
        plan = make_plan(resolved, registry, wishes.family)
        networks = FamilyNetworks(family=wishes.family, device=wishes.device, dtype=wishes.dtype)
        networks.network("original")
    count = max(of.defense.servers for of in plan.defenses)
    if there and count > there:
        raise ValueError(f"a defense calls {count} servers, and --servers names {there}.")
    modules = sorted({module for of in plan.defenses for module in operation_modules(of)})
    with console.stage(f"connecting {there} servers" if there else f"starting {count} servers"):
        weights = {name: sha for of in plan.defenses for name, sha in of.weights.items()}
        servers = _servers(count, wishes, networks, modules, weights)
    with servers:
        bench = PassBench(plan=plan, networks=networks, servers=servers, prior=load_prior())
        yield Session(bench=bench, wishes=wishes, measured=measured)


def _servers(
    count: int,
    wishes: Wishes,
    networks: FamilyNetworks,
    modules: Sequence[str],
    weights: Mapping[str, str],
) -> Servers:
    if not wishes.addresses:
        return VirtualServers(count, networks, modules=modules)
    remote = Remote(
        addresses=wishes.addresses,
        identity=wishes.identity,
        model=wishes.family.name,
        weights=weights,
        patience=wishes.deadline,
    )
    return RemoteServers(remote, networks, modules=modules)

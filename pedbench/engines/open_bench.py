"""Open a bench: the servers, attack processes, metrics and probes that jobs use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager

from pedbench.adversary.hosted.painter import Painter
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.adversary.prior import load_prior
from pedbench.errors import PluginError
from pedbench.host.console import Console
from pedbench.host.provenance import cores
from pedbench.host.stopwatch import Profile
from pedbench.measure.bench import Bench
from pedbench.measure.pass_times import warm_up
from pedbench.measure.power import PowerMeter
from pedbench.measure.probe_reader import Reader
from pedbench.models.hub.embedding import load_embedder
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.builtin import operation_modules
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.remote import Remote, RemoteServers
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.privacy.retrieval import make_gallery
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.suites.schema import ResolvedSuite, UploadsChoice
from pedbench.types import Sample

ATTACK_PROCESSES = 2
"""Attack processes on an accelerator: each needs its own part of the accelerator's memory."""


@contextmanager
def open_bench(
    plan: Plan,
    networks: FamilyNetworks,
    due: Sequence[DefensePlan],
    console: Console,
    profile: Profile,
    remote: Remote | None = None,
    *,
    uploads: bool = False,
) -> Iterator[Bench]:
    """Start servers and attack processes, and prepare metrics and probes, for some of a plan's defenses.

    Everything but servers on other machines computes on the device of `networks`. Leaving the block stops all.

    Args:
        due: The defenses to measure.
        remote: The servers on other machines; by default servers are processes of this host.
        uploads: Whether hosted attacks may be served, if the suite allows it: where a user runs a suite, and nowhere
            else.

    Raises:
        PluginError: A metric or probe cannot be prepared.
        ValueError: There are too few servers, or a server has other code or weights.
        ConnectionError: A server cannot be reached.
    """
    count, device = max(defense.defense.servers for defense in due), networks.device
    for metric in plan.metrics:
        try:
            metric.prepare(device)
        # A plugin can raise anything; without the metric every cell would lack values that the suite requests.
        except Exception as error:
            raise PluginError(f"metric {metric.name} cannot be prepared: {error}") from error
    readers = {}
    for planned in plan.probes:
        try:
            readers[planned.plugin.label] = Reader(planned.plugin, device)
        except Exception as error:
            raise PluginError(f"probe {planned.plugin.name} cannot be prepared: {error}") from error
    modules = sorted(
        {module for item in due for module in operation_modules(item.defense, item.planned.spec.origin)}
    )
    specs = [planned.spec for planned in plan.attacks if planned.read_out is None]
    weights = [*(file for planned in plan.attacks for file in planned.plugin.files), *plan.family.files()]
    if remote is not None and count > len(remote.addresses):
        raise ValueError(
            f"a defense calls {count} servers, but --servers names only {len(remote.addresses)}."
        )
    verb = "starting" if remote is None else "connecting"
    with ExitStack() as resources:
        with console.stage(f"{verb} {count} servers"), profile.stage("starting servers"):
            pool = resources.enter_context(
                AttackPool(
                    specs,
                    workers=cores() if device == "cpu" else ATTACK_PROCESSES,
                    device=device,
                    threads=1,
                    readable=weights,
                    closed=plan.truths,
                    deadline=plan.suite.deadline,
                )
            )
            loading = pool.prepare()
            servers: Servers = (
                VirtualServers(count, networks, modules=modules)
                if remote is None
                else RemoteServers(remote, networks, modules=modules)
            )
            resources.enter_context(servers)
            # Loading must end before passes are timed.
            wait(loading)
        bench = Bench(
            plan=plan,
            networks=networks,
            device=device,
            servers=servers,
            pool=pool,
            painter=_painter(plan.suite) if uploads and plan.suite.allow_upload else None,
            prior=load_prior(),
            readers=readers,
            profile=profile,
            power=resources.enter_context(PowerMeter()),
        )
        if plan.gallery is not None and plan.suite.gallery is not None:
            count = len(plan.gallery.ids()[: plan.suite.gallery.limit])
            with console.stage(f"reading a gallery of {count} pictures"), profile.stage("gallery"):
                samples = (plan.gallery[index] for index in range(count))
                frames = ((sample.id, bench.frame(sample)) for sample in samples)
                model = plan.suite.gallery.model
                bench.gallery = make_gallery(frames, load_embedder(model, device) if model else None)
        yield bench


def _painter(suite: ResolvedSuite) -> Painter:
    return Painter(account=suite.name, **(suite.uploads or UploadsChoice()).model_dump())


def warm_up_bench(bench: Bench, plan: DefensePlan) -> None:
    """Load and run everything that a defense uses, on pictures outside the selection, and discard the times."""
    servers = max(1, plan.defense.servers)
    bench.servers.set_mode(turns=False, threads=max(1, cores() // servers))
    pictures = bench.prior.pictures[: bench.plan.suite.latency.warmup]
    for number, picture in enumerate(pictures):
        warm_up(bench, plan, Sample(id=f"warm-up {number}", image=picture))

"""The bench of the explorer: a picture through any defense, over real server processes."""

from __future__ import annotations

from dataclasses import replace

from pedbench.adversary.prior import load_prior
from pedbench.base import Dataset, Embedding
from pedbench.errors import AuditError
from pedbench.explore.pictures import Brought
from pedbench.explore.questions import bench_suite
from pedbench.explore.trial import Trial, Watch
from pedbench.host.provenance import cores
from pedbench.measure.audits import broken_word, unfaithful_operations, without_trust
from pedbench.measure.bench import PassBench
from pedbench.measure.outcome import InvalidEmbedding
from pedbench.measure.utility import undefended_embedding
from pedbench.models.sam.family import Family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.builtin import operation_modules
from pedbench.offload.operations.observation import observe
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.registry import Registry
from pedbench.suites.choices import Choice
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.suites.planning import make_plan
from pedbench.suites.resolve import Overrides, resolve
from pedbench.types import Sample

_KEPT = 8
"""Embeddings of the undefended model that are kept."""


class Explorer:
    """Networks, servers and scenes that all tabs share. One thread at a time may use it.

    Args:
        registry: The plugins.
        models: The model family.
        scenes: The dataset of which pictures may be samples; others are taken as pictures without annotations.
        device: Where models compute.
    """

    def __init__(self, registry: Registry, models: Family, scenes: Dataset, device: str = "cpu") -> None:
        self.registry, self.family, self.scenes, self.device = registry, models, scenes, device
        self.networks = FamilyNetworks(family=models, device=device)
        self.prior = load_prior()
        self._servers: VirtualServers | None = None
        self._bench: PassBench | None = None
        self._warm: set[str] = set()
        self._embeddings: dict[str, Embedding] = {}

    def undefended(self, sample: Sample) -> Embedding:
        """Embed a picture with the undefended model; the last pictures' embeddings are kept."""
        if sample.id not in self._embeddings:
            while len(self._embeddings) >= _KEPT:
                del self._embeddings[next(iter(self._embeddings))]
            size = self.networks.network("original").image_encoder.img_size
            self._embeddings[sample.id] = undefended_embedding(self.networks, to_frame(sample.image, size))
        return self._embeddings[sample.id]

    def run(self, sample: Sample, defense: Choice, link: str, watch: Watch | None = None) -> Trial:
        """Run a defense over a picture, with a pass to warm up before its first.

        Args:
            link: Name of the link between edge and servers.
            watch: Called with each call to a server when it is sent.

        Raises:
            ValueError: The defense, a parameter or the link is wrong.
            AuditError: The defense does other than it declares.
            InvalidEmbedding: The embedding has values that are not finite.
            ServerLost: A server died or does not answer.
        """
        plan = self._plan(sample, defense, link)
        (planned,) = plan.defenses
        planned.defense.prepare(self.device)
        bench = self._stand(plan, planned)
        if planned.defense.label not in self._warm:
            bench.warm_up(planned, Sample(id="warm-up", image=self.prior.pictures[0]))
            self._warm.add(planned.defense.label)
        trial = Trial(bench=replace(bench), plan=planned, sample=sample, frame=bench.frame(sample))
        self.listen(trial, 1, watch)
        return trial

    def listen(self, trial: Trial, requests: int, watch: Watch | None = None) -> None:
        """Run further passes of a trial, until there are `requests` of them."""
        planned, sample = trial.plan, trial.sample
        bench = self._stand(trial.bench.plan, planned)
        for request in range(len(trial.passes), requests):
            frame = bench.frame(sample, request)
            settings = replace(bench.settings(planned, sample, request=request), watch=watch)
            done = bench.run(planned, sample, frame, settings)
            if not done.embedding.features.isfinite().all():
                raise InvalidEmbedding(f"{planned.defense.label} returned an embedding that is not finite.")
            size = (frame.shape[0], frame.shape[1])
            seen = observe(done.received, bench.servers.operations, self.networks, size)
            if reason := broken_word(bench, planned, sample, [frame], [done], [seen]):
                raise AuditError(f"{planned.defense.label} does other than it declares: {reason}")
            if request == 0:
                trial.distrust = unfaithful_operations(bench, planned, sample, frame, seen)
            trial.passes.append(done)
            trial.seen.append(without_trust(seen, trial.distrust) if trial.distrust else seen)

    def _plan(self, sample: Sample, defense: Choice, link: str) -> Plan:
        known = sample.id in self.scenes.ids()
        dataset = self.scenes if known else Brought(sample=sample)
        suite = resolve(bench_suite(defense, self.family.name, link), Overrides(), self.registry)
        return make_plan(suite, self.registry, self.family, (dataset, None))

    def _stand(self, plan: Plan, planned: DefensePlan) -> PassBench:
        """Return the bench with as many servers as a defense calls, and with its operations."""
        count = max(1, planned.defense.servers)
        modules = operation_modules(planned.defense, planned.planned.spec.origin)
        servers = self._servers
        known: tuple[str, ...] = () if servers is None else servers.modules
        if servers is None or not modules <= {*known}:
            self.close()
            servers = VirtualServers(count, self.networks, modules=sorted({*known, *modules}))
            self._servers = servers
        elif len(servers) < count:
            servers.grow(count)
            self._warm.clear()
        if self._bench is None:
            self._bench = PassBench(plan=plan, networks=self.networks, servers=servers, prior=self.prior)
        bench = self._bench
        bench.plan = plan
        bench.servers.set_mode(turns=False, threads=max(1, cores() // count))
        return bench

    def close(self) -> None:
        """Stop the servers."""
        if self._servers is not None:
            self._servers.close()
        self._servers = self._bench = None
        self._warm.clear()

"""Resources that all measurements of a run share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pedbench.adversary.hosted.painter import Painter
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.base import Networks
from pedbench.host.stopwatch import Profile
from pedbench.measure.power import PowerMeter
from pedbench.measure.probe_reader import Reader
from pedbench.measure.seeds import generator, torch_seed
from pedbench.models.sam.stages import window_grid
from pedbench.network.links import LOOPBACK, Link, find_link
from pedbench.offload.integrity.spot_checks import SpotChecks
from pedbench.offload.passes.calls import DEADLINE, PassSettings
from pedbench.offload.passes.disclosure_ledger import Session
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.fleet import Servers
from pedbench.pictures.frame import to_frame
from pedbench.pictures.windows import WindowGrid
from pedbench.privacy.retrieval import Gallery
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.types import Picture, Prior, Sample
from pedbench.utility.agreement import Reference


@dataclass(kw_only=True)
class PassBench:
    """Objects that passes need: loaded once, used for every defense.

    Attributes:
        networks: The edge's models, which are public.
        servers: As many as any defense calls.
        prior: What attackers know of pictures in general; its pictures warm everything up.
    """

    plan: Plan
    networks: Networks
    servers: Servers
    prior: Prior
    _doubtful: bool = False
    _session: tuple[tuple[str, str], Session] = field(default_factory=lambda: (("", ""), Session()))

    @property
    def grid(self) -> WindowGrid:
        """The window grid of the family's networks."""
        return window_grid(self.networks.network("original").image_encoder)

    def frame(self, sample: Sample, request: int = 0) -> Picture:
        """The sample's picture at a request as the family's networks want it.

        Raises:
            ValueError: The camera moves, and there is no picture for so late a request.
        """
        pictures = (sample.image, *sample.later)
        if sample.later and request >= len(pictures):
            raise ValueError(
                f"{sample.id} moves and has {len(pictures)} pictures, request {request + 1} is asked for"
            )
        picture = pictures[request] if sample.later else sample.image
        return to_frame(picture, self.networks.network("original").image_encoder.img_size)

    def settings(
        self, plan: DefensePlan, sample: Sample, *, request: int = 0, link: Link | None = None
    ) -> PassSettings:
        """Return the conditions of a pass as the suite states them.

        Args:
            link: Between edge and servers; the suite's first without it, none while servers take turns.
        """
        suite = self.plan.suite
        chosen = link or find_link(LOOPBACK if self.servers.turns else suite.latency.links[0])
        return PassSettings(
            request=request,
            link=chosen,
            seed=self.link_seed(plan, sample, chosen, request),
            deadline=suite.servers.deadline,
            on_lost=suite.servers.on_lost,
            max_share=suite.servers.max_visible_share or math.inf,
            spot_checks=SpotChecks(count=suite.servers.spot_checks),
        )

    def run(
        self, plan: DefensePlan, sample: Sample, frame: Picture, settings: PassSettings | None = None
    ) -> Pass:
        """Run one pass of a defense, with the randomness that belongs to this sample and request.

        Args:
            frame: The sample's, or another picture of its size; the defense gets a copy.
            settings: Those of `settings` for the first request without it; the session is added here.
        """
        if self._doubtful:
            self.restore_servers()
            self.warm_up(plan, Sample(id="warm-up", image=self.prior.pictures[0]))
        settings = settings or self.settings(plan, sample)
        suite, label = self.plan.suite, plan.defense.label
        rng = generator(suite.seed, self.plan.dataset.name, sample.id, label, settings.request)
        self._doubtful = True
        done = run_pass(
            plan.defense,
            # What is scored against must not be what a defense wrote into.
            frame.copy(),
            self.servers,
            self.networks,
            rng,
            replace(settings, session=self._scene(plan, sample)),
        )
        # Who was given up may still answer, or receive what was sent; but a liar has answered.
        liars = settings.lies.servers if settings.lies else frozenset()
        self._doubtful = bool(set(done.lost) - liars)
        return done

    def warm_up(self, plan: DefensePlan, sample: Sample) -> Pass:
        """Run a pass that is no part of any result: servers may have to load their models first."""
        settings = self.settings(plan, sample)
        deadline = max(DEADLINE, settings.deadline)
        return self.run(
            plan, sample, self.frame(sample), replace(settings, deadline=deadline, on_lost="fail")
        )

    def _scene(self, of: DefensePlan, sample: Sample) -> Session:
        """The session of all requests of a sample under a defense, which follow each other."""
        key = (of.defense.label, sample.id)
        if self._session[0] != key:
            self._session = (key, Session(max_share=self.plan.suite.servers.max_session_share or 1.0))
        return self._session[1]

    def link_seed(self, of: DefensePlan, sample: Sample, link: Link, request: int = 0) -> int:
        """The seed of a link's jitter and losses in one pass, measured or composed."""
        names = f"{of.defense.label} over {link.name}"
        return torch_seed(self.plan.suite.seed, self.plan.dataset.name, sample.id, names, request)

    def restore_servers(self) -> None:
        """Replace servers that are gone. After a pass that failed all of them: one may compute on for ever.

        Raises:
            ServerLost: One cannot be had again.
        """
        self.servers.restore(doubtful=self._doubtful)
        self._doubtful = False


@dataclass(kw_only=True)
class Bench(PassBench):
    """Objects that a run's measurements share.

    Attributes:
        readers: The probes, by label.
        device: Where models compute, as torch names it.
        pool: Processes in which attacks run.
        painter: Asks services for hosted attacks; None where nothing may be uploaded.
        blind: Picture -> column -> how near the best floor comes to it without any view.
        references: Picture -> what the undefended model sees in it, where nothing is annotated.
        paces: By attack, how many seconds a guess took lately.
        gallery: Pictures among which those of the run are searched for.
        profile: Stopwatches of the run.
        power: Reads the edge's power rails, where there are any.
        once: Picture, digest of what is visible of it, kind and attack -> what a guess that does not depend on the view
            measures, by column and region.
    """

    device: str
    pool: AttackPool
    painter: Painter | None = None
    readers: dict[str, Reader]
    profile: Profile = field(default_factory=Profile)
    power: PowerMeter = field(default_factory=PowerMeter)
    blind: dict[str, dict[str, float]] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)
    paces: dict[str, float] = field(default_factory=dict)
    gallery: Gallery | None = None
    once: dict[tuple[str, str, str, str], Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

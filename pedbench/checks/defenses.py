"""Rules of defenses, checked on in-process servers with mini networks of random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pedbench.adversary.prior import load_prior
from pedbench.base import Defense, Networks
from pedbench.checks.rule import BrokenRule, Outcome, Unchecked, expect_unchanged, outcome
from pedbench.checks.samples import made_up_picture
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.builtin import operation_modules
from pedbench.offload.operations.observation import Observation, observe
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.pictures.windows import WindowGrid
from pedbench.privacy.authored_content import TOKENS, unfaithful_operations
from pedbench.privacy.disclosure_audit import audit
from pedbench.registry import Origin
from pedbench.types import Picture

SIZES = {"square": (320, 320), "wide": (240, 320), "tall": (320, 200), "very thin": (320, 3)}
"""(H, W) of the frames in pixels; the longest side is the model's input size."""


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """A defense with its servers and networks."""

    defense: Defense
    networks: FamilyNetworks
    servers: VirtualServers

    def seen(self, done: Pass, frame: Picture) -> tuple[Observation, ...]:
        size = (frame.shape[0], frame.shape[1])
        return observe(done.received, self.servers.operations, self.networks, size)

    def run(self, frame: Picture, seed: int = 0, networks: Networks | None = None) -> Pass:
        edge = networks or self.networks
        return run_pass(self.defense, frame, self.servers, edge, np.random.default_rng(seed))


@dataclass(frozen=True, kw_only=True)
class _RecordingNetworks(Networks):
    """Networks that record the names of those which the edge loads."""

    networks: Networks
    names: set[str]

    def network(self, weights: str) -> Any:
        self.names.add(weights)
        return self.networks.network(weights)


def check_defense(defense: Defense, origin: Origin) -> Iterator[Outcome]:
    """Check a defense on frames of several shapes."""
    modules: set[str] = set()
    loadable = outcome(
        "servers can load the operations", lambda: modules.update(operation_modules(defense, origin))
    )
    yield loadable
    if loadable.problem:
        return
    networks = FamilyNetworks(family=MINI, random_seed=0)
    grid = window_grid(networks.network("original").image_encoder)
    yield outcome("declared share", lambda: _check_share(defense, grid))
    prepared = outcome("preparation", lambda: defense.prepare("cpu"))
    yield prepared
    if prepared.skipped:
        return
    with VirtualServers(defense.servers, networks, modules=sorted(modules)) as servers:
        setup = _Setup(defense=defense, networks=networks, servers=servers)
        rng = np.random.default_rng(0)
        frames = {f"a {name} frame": made_up_picture(rng, size) for name, size in SIZES.items()}
        frames["a constant picture"] = np.full((240, 320, 3), 51 / 255, np.float32)
        for name, frame in frames.items():
            yield outcome(f"embedding of {name}", partial(_check_embedding, setup, frame))
        wide = frames["a wide frame"]
        yield outcome("the frame stays unchanged", lambda: expect_unchanged([wide], lambda: setup.run(wide)))
        yield outcome("messages and embeddings are deterministic", lambda: _check_determinism(setup, wide))
        yield outcome("declared randomness", lambda: _check_randomness(setup, wide))
        yield outcome("declared networks", lambda: _check_networks(setup, wide))
        yield outcome(f"disclosure: {defense.disclosure}", lambda: _check_disclosure(setup, wide))
        if modules and defense.disclosure != "exact":
            yield outcome("own operations show what they carry", lambda: _check_shown(setup))


def _check_share(defense: Defense, grid: WindowGrid) -> None:
    for size in SIZES.values():
        share = defense.max_share(size, grid)
        if not 0 <= share <= 1:
            raise BrokenRule(f"`max_share` lies in [0, 1], found {share} for a frame of {size}")


def _check_embedding(setup: _Setup, frame: Picture) -> None:
    embedding = setup.run(frame).embedding
    if embedding.decoder is None:
        side = embedding.network.prompt_encoder.image_embedding_size
        expected = (1, embedding.network.prompt_encoder.embed_dim, *side)
        found = tuple(embedding.features.shape)
        if found != expected:
            raise BrokenRule(f"expected features of shape {expected}, found {found}")
    if not embedding.features.isfinite().all():
        raise BrokenRule("the features hold values that are not finite")


def _payloads(done: Pass) -> list[tuple[int, str, dict[str, bytes]]]:
    """Return what every server received, in a form that can be compared."""
    return [
        (
            message.server,
            message.operation,
            {name: array.tobytes() for name, array in message.payload.items()},
        )
        for message in done.received
        if message.payload is not None
    ]


def _check_determinism(setup: _Setup, frame: Picture) -> None:
    first = setup.run(frame)
    # A defense that keeps state between pictures would send something else for the second.
    setup.run(frame[::-1].copy())
    second = setup.run(frame)
    if _payloads(first) != _payloads(second):
        raise BrokenRule(
            "the same frame and seed gave two different messages: draw from `edge.rng` alone, and keep no state"
        )
    if not first.embedding.features.equal(second.embedding.features):
        raise BrokenRule("the same frame and seed gave two different embeddings")


def _check_randomness(setup: _Setup, frame: Picture) -> None:
    differ = _payloads(setup.run(frame, seed=1)) != _payloads(setup.run(frame, seed=2))
    if differ and not setup.defense.randomised:
        raise BrokenRule("messages depend on `edge.rng`, but `randomised` is False")


def _check_networks(setup: _Setup, frame: Picture) -> None:
    """Check that `networks` names every network that runs: the identity of measurements depends on it."""
    recording = _RecordingNetworks(networks=setup.networks, names=set())
    done = setup.run(frame, networks=recording)
    used = {message.arguments["weights"] for message in done.received if "weights" in message.arguments}
    # The harness itself loads the original network.
    used |= recording.names - {"original"}
    if done.embedding.network is setup.networks.network("original"):
        used.add("original")
    undeclared = sorted(used - set(setup.defense.networks))
    if undeclared:
        raise BrokenRule(
            f"the defense runs the network {undeclared[0]!r}, but its `networks` are "
            f"{sorted(setup.defense.networks)}: name it there, or take it from a parameter `weights`"
        )


def _check_disclosure(setup: _Setup, frame: Picture) -> None:
    """Audit what the servers received, as a run does for every picture."""
    done = setup.run(frame)
    found = audit(setup.seen(done, frame), frame, setup.defense, setup.networks, done.streamed)
    if found.whole_visible:
        raise BrokenRule(f"a message counts as the whole frame: {found.whole_visible[0]}")
    if found.invalid:
        raise BrokenRule(found.invalid[0])
    if setup.defense.disclosure == "decoy" and _payloads(done) != _payloads(setup.run(frame[::-1].copy())):
        raise BrokenRule("the messages depend on the picture")


def _check_shown(setup: _Setup) -> None:
    """Compare what the defense's own operations show of several pictures, as a run does for every picture."""
    another, picture = load_prior().pictures[:2]
    frame = to_frame(picture, max(SIZES["wide"]))
    seen = setup.seen(setup.run(frame), frame)
    reason = unfaithful_operations(frame, another, seen, lambda other: setup.seen(setup.run(other), frame))
    if TOKENS in reason:
        raise Unchecked(reason)
    if reason:
        raise BrokenRule(reason)

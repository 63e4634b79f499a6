"""The rules of defenses, checked on real servers with mini networks of random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pedbench.base import Defense, Networks
from pedbench.checks.rule import BrokenRule, Outcome, outcome
from pedbench.checks.samples import made_up_picture
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.windows import WindowGrid
from pedbench.privacy.disclosure_audit import audit
from pedbench.types import Picture

SIZES = {"square": (320, 320), "wide": (240, 320), "tall": (320, 200), "very thin": (320, 3)}
"""(H, W) of the frames: the longest side is the model's."""


@dataclass(frozen=True, kw_only=True)
class _Bench:
    defense: Defense
    networks: FamilyNetworks
    servers: VirtualServers

    def run(self, frame: Picture, seed: int = 0, networks: Networks | None = None) -> Pass:
        edge = networks or self.networks
        return run_pass(self.defense, frame, self.servers, edge, np.random.default_rng(seed))


@dataclass(frozen=True, kw_only=True)
class _Asked(Networks):
    """Remembers which networks the edge asked for."""

    networks: Networks
    names: set[str]

    def network(self, weights: str) -> Any:
        self.names.add(weights)
        return self.networks.network(weights)


def check_defense(defense: Defense) -> Iterator[Outcome]:
    """Check a defense on frames of several shapes."""
    networks = FamilyNetworks(family=MINI, random_seed=0)
    grid = window_grid(networks.network("original").image_encoder)
    yield outcome("declared share", lambda: _check_share(defense, grid))
    prepared = outcome("preparation", lambda: defense.prepare("cpu"))
    yield prepared
    if prepared.skipped:
        return
    with VirtualServers(defense.servers, networks) as servers:
        bench = _Bench(defense=defense, networks=networks, servers=servers)
        rng = np.random.default_rng(0)
        frames = {f"a {name} frame": made_up_picture(rng, size) for name, size in SIZES.items()}
        frames["a constant picture"] = np.full((240, 320, 3), 51 / 255, np.float32)
        for name, frame in frames.items():
            yield outcome(f"embedding of {name}", partial(_check_embedding, bench, frame))
        wide = frames["a wide frame"]
        yield outcome("the frame is left as it is", lambda: _check_frame_unchanged(bench, wide))
        yield outcome("the same twice", lambda: _check_determinism(bench, wide))
        yield outcome("declared randomness", lambda: _check_randomness(bench, wide))
        yield outcome("declared networks", lambda: _check_networks(bench, wide))
        yield outcome(f"disclosure: {defense.disclosure}", lambda: _check_disclosure(bench, wide))


def _check_share(defense: Defense, grid: WindowGrid) -> None:
    for size in SIZES.values():
        share = defense.max_share(size, grid)
        if not 0 <= share <= 1:
            raise BrokenRule(f"`max_share` lies in [0, 1], found {share} for a frame of {size}")


def _check_embedding(bench: _Bench, frame: Picture) -> None:
    embedding = bench.run(frame).embedding
    side = embedding.network.prompt_encoder.image_embedding_size
    expected = (1, embedding.network.prompt_encoder.embed_dim, *side)
    found = tuple(embedding.features.shape)
    if found != expected:
        raise BrokenRule(f"expected features of shape {expected}, found {found}")
    if not embedding.features.isfinite().all():
        raise BrokenRule("the features hold values that are not finite")


def _check_frame_unchanged(bench: _Bench, frame: Picture) -> None:
    given = frame.copy()
    bench.run(given)
    if not np.array_equal(given, frame):
        raise BrokenRule("the defense wrote into the frame: copy it before changing it")


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


def _check_determinism(bench: _Bench, frame: Picture) -> None:
    first = bench.run(frame)
    # What it keeps from one picture to the next would show.
    bench.run(frame[::-1].copy())
    second = bench.run(frame)
    if _payloads(first) != _payloads(second):
        raise BrokenRule(
            "the same frame and generator gave two different messages: draw from `edge.rng` alone"
        )
    if not first.embedding.features.equal(second.embedding.features):
        raise BrokenRule("the same frame and generator gave two different embeddings")


def _check_randomness(bench: _Bench, frame: Picture) -> None:
    differ = _payloads(bench.run(frame, seed=1)) != _payloads(bench.run(frame, seed=2))
    if differ and not bench.defense.randomised:
        raise BrokenRule("messages depend on `edge.rng`, but `randomised` is False")


def _check_networks(bench: _Bench, frame: Picture) -> None:
    """Measurements of other weights are other measurements: what runs has to be known."""
    asked = _Asked(networks=bench.networks, names=set())
    done = bench.run(frame, networks=asked)
    used = {message.arguments["weights"] for message in done.received if "weights" in message.arguments}
    # The harness itself asks for the original network.
    used |= asked.names - {"original"}
    if done.embedding.network is bench.networks.network("original"):
        used.add("original")
    undeclared = sorted(used - set(bench.defense.networks))
    if undeclared:
        raise BrokenRule(
            f"the defense runs the network {undeclared[0]!r}, and its `networks` are "
            f"{sorted(bench.defense.networks)}: name it there, or take it from a parameter `weights`"
        )


def _check_disclosure(bench: _Bench, frame: Picture) -> None:
    """What a run checks on every picture."""
    done = bench.run(frame)
    seen = observe(done.received, bench.servers.operations, bench.networks, (frame.shape[0], frame.shape[1]))
    found = audit(seen, frame, bench.defense, bench.networks, done.streamed)
    if found.whole_visible:
        raise BrokenRule(f"a message counts as the whole frame: {found.whole_visible[0]}")
    if found.invalid:
        raise BrokenRule(found.invalid[0])
    if bench.defense.disclosure == "decoy" and _payloads(done) != _payloads(bench.run(frame[::-1].copy())):
        raise BrokenRule("the messages depend on the picture")

"""Passes of `ped_sam` over servers in their own processes, each with one fault on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pedbench.errors import AuditError
from pedbench.host.determinism import without_onednn
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.tiles import stages
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.call import RemoteError
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.passes.stream_windows import encode_here
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.wire.messages import WireError
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture
from tools.chaos.disturbed import Disturbed, Moment, Trouble, make_trouble, nothing
from tools.chaos.fault_proxy import FAULTS, Fault, Way
from tools.chaos.marked_pictures import MarkedPictures
from tools.chaos.messages import MESSAGE_FAULTS, SIDES, FaultyMethod
from tools.chaos.servers import Fleet
from tools.chaos.tally import Tally

SERVERS = 3
DEADLINE = 1.5
SIZE = (240, 320)
W = "reordered"

FAILURES = (ServerLost, RemoteError, WireError, AuditError)
"""Errors with which a pass may fail; nothing else may be raised."""

KINDS = {
    **{f"network: {kind}": kind for kind in FAULTS},
    **{f"server: {kind}": kind for kind in ("kill", "hang")},
    **{f"message: {kind}": kind for kind in MESSAGE_FAULTS},
}
"""Kinds of faults by their names in tables."""

_PLACES: tuple[tuple[Moment, Way, int], ...] = (
    ("forget", "up", 60),
    ("forget", "down", 60),
    ("call", "up", 80_000),
    ("call", "down", 80_000),
    ("collect", "up", 60),
    ("collect", "down", 80_000),
)
"""Moments of network faults: the command or call, the direction, and the largest number of bytes before the fault."""


class Passes:
    """Passes with faults, and their tallies.

    Args:
        seed: Seed of all random choices.
    """

    def __init__(self, seed: int) -> None:
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._rng = np.random.default_rng(seed)
        self._networks = FamilyNetworks(family=MINI, random_seed=0)
        self._grid = window_grid(self._networks.network(W).image_encoder)
        self._assignment = assign("dispersed", self._grid.active(SIZE), SERVERS, np.random.default_rng(0))
        self._tallies = {name: Tally(fault=name, overdue=0.0) for name in KINDS}
        self._pictures = MarkedPictures(self._grid, SIZE, self._rng)
        self._fleet = Fleet(SERVERS, self._networks, patience=DEADLINE)
        self._usual = float(np.median([self._undisturbed() for _ in range(8)][2:]))

    def close(self) -> list[Tally]:
        """End the servers, and return the tally of each fault."""
        torch.set_num_threads(self._threads)
        orphans = self._fleet.close()
        for tally in self._tallies.values():
            tally.orphans = orphans
        return [tally for tally in self._tallies.values() if tally.tries]

    def attempt(self, name: str) -> None:
        """Try passes until the fault strikes one, and repair everything."""
        while not self._attempt(self._tallies[name], KINDS[name]):
            pass

    def _attempt(self, tally: Tally, kind: str) -> bool:
        """Try one pass; it counts if the fault struck before the pass was over."""
        server, frame = int(self._rng.integers(SERVERS)), self._pictures.draw()
        expected = self._embed_on_edge(frame)
        parts = {"network": self._network, "server": self._server, "message": self._message}
        trouble = parts[tally.fault.partition(":")[0]](kind, server)
        on_lost = ("fail", "edge")[int(self._rng.integers(2))]
        outcome, doubtful = "", True
        began = time.monotonic()
        try:
            trouble.prepare()
            done = self._run(trouble.defense, frame, on_lost)
        except FAILURES:
            outcome = "closed"
        # Every other error is a bug.
        except Exception as error:
            tally.wrong.append(f"{tally.fault}: {type(error).__name__}: {error}")
        else:
            doubtful = bool(done.lost)
            outcome = "survived"
            if not done.embedding.features.equal(expected):
                tally.wrong.append(f"{tally.fault}: a pass ended with a wrong embedding")
        lasted, struck = time.monotonic() - began, trouble.struck()
        # A message fault has replaced this method.
        vars(self._fleet.servers).pop("call", None)
        if kind == "hang" and struck:
            # Delayed messages may still arrive.
            (self._fleet.go_on if self._rng.random() < 0.5 else self._fleet.kill)(server)
        self._fleet.mend(doubtful=doubtful)
        tally.strays += self._strays()
        if struck:
            tally.tries += 1
            tally.survived += outcome == "survived"
            tally.closed += outcome == "closed"
            tally.late(lasted - self._usual - DEADLINE)
        return struck

    def _network(self, kind: str, server: int) -> Trouble:
        """Have the relay corrupt the next bytes at a random moment."""
        relay, (moment, way, far) = self._fleet.relays[server], _PLACES[int(self._rng.integers(len(_PLACES)))]
        fault = Fault(
            kind=kind,
            way=way,
            after=int(self._rng.integers(far)),
            seconds=float(self._rng.uniform(0.05, 2 * DEADLINE)),
        )
        return self._trouble(moment, lambda: relay.arm(fault), lambda: relay.struck)

    def _server(self, kind: str, server: int) -> Trouble:
        """Kill or stop a server at a random moment."""
        strike = self._fleet.kill if kind == "kill" else self._fleet.stop
        moments: tuple[Moment | None, ...] = ("forget", "call", None, "collect")
        if moment := moments[int(self._rng.integers(4))]:
            return self._trouble(moment, lambda: strike(server), lambda: True)
        # None of the moments: during the computing.
        fired = threading.Event()

        def later() -> None:
            fired.set()
            strike(server)

        timer = threading.Timer(float(self._rng.uniform(0, self._usual)), later)

        def struck() -> bool:
            timer.cancel()
            timer.join()
            return fired.is_set()

        return self._trouble("call", timer.start, struck)

    def _message(self, kind: str, server: int) -> Trouble:
        """Disturb the first call of a server, or its reply."""
        servers = self._fleet.servers
        faulty = FaultyMethod(
            servers.call(server),
            kind,
            SIDES[int(self._rng.integers(2))],
            float(self._rng.uniform(0.05, 2 * DEADLINE)),
            self._rng,
        )
        right = type(servers).call
        vars(servers)["call"] = lambda index: faulty if index == server else right(servers, index)
        return self._trouble("forget", nothing, lambda: faulty.struck)

    def _trouble(self, moment: Moment, strike: Callable[[], None], struck: Callable[[], bool]) -> Trouble:
        """Make a fault in a pass of all servers, whose messages are whole or pairs of windows at random."""
        defense = Disturbed(servers=SERVERS, weights=W, chunk=(0, 2)[int(self._rng.integers(2))])
        return make_trouble(defense, moment, strike, struck)

    def _undisturbed(self) -> float:
        began = time.monotonic()
        self._run(PedSam(servers=SERVERS, weights=W), self._pictures.draw(), "fail")
        lasted = time.monotonic() - began
        for server, windows in self._assignment.items():
            found = self._pictures.complete(b"".join(self._fleet.received(server)))
            if found != list(windows):
                raise RuntimeError(f"server {server} has the windows {found} instead of {windows}")
        return lasted

    def _run(self, defense: Any, frame: Picture, on_lost: Any) -> Any:
        return run_pass(
            defense,
            frame,
            self._fleet.servers,
            self._networks,
            np.random.default_rng(0),
            PassSettings(deadline=DEADLINE, on_lost=on_lost),
        )

    def _embed_on_edge(self, frame: Picture) -> torch.Tensor:
        """Embed a frame on the edge alone."""
        network = self._networks.network(W)
        with without_onednn(self._networks.exact), torch.inference_mode():
            encoded = encode_here(network, to_uint8(frame), self._grid.active(SIZE))
            tokens = stages(network)[0].assemble(encoded, SIZE)
            edge = Edge(networks=self._networks, rng=self._rng, request=0, clock=Clock())
            features: torch.Tensor = edge.finish(tokens, W).features
        return features

    def _strays(self) -> int:
        """Count windows of recent pictures that reached a server which they were not assigned to."""
        return sum(
            self._pictures.strays(b"".join(self._fleet.received(server)), self._assignment.get(server, ()))
            for server in range(SERVERS)
        )

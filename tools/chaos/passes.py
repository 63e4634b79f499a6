"""Passes of `ped_sam` over servers of their own, each with one fault somewhere on the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pedbench.base import Cloud, Edge, Embedding
from pedbench.host.determinism import without_onednn
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.tiles import cut_tiles, stages, to_bytes, to_picture
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.call import RemoteError
from pedbench.offload.passes.disclosure_ledger import AuditError
from pedbench.offload.passes.edge import Edge as PassEdge
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.passes.stream_windows import encode_here
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.fleet import ServerLost
from pedbench.offload.wire.messages import WireError
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture, Window
from tools.chaos.fault_proxy import FAULTS, Fault, Way
from tools.chaos.messages import MESSAGE_FAULTS, SIDES, Meddled
from tools.chaos.servers import Fleet
from tools.chaos.tally import Tally

SERVERS = 3
DEADLINE = 1.5
SIZE = (240, 320)
W = "reordered"

FAILURES = (ServerLost, RemoteError, WireError, AuditError)
"""How a pass may fail; nothing else may be raised."""

KINDS = {
    **{f"network: {kind}": kind for kind in FAULTS},
    **{f"server: {kind}": kind for kind in ("kill", "hang")},
    **{f"message: {kind}": kind for kind in MESSAGE_FAULTS},
}
"""What the faults are, by their names in tables."""

_PLACES: tuple[tuple[str, Way, int], ...] = (
    ("forget", "up", 60),
    ("forget", "down", 60),
    ("call", "up", 80_000),
    ("call", "down", 80_000),
    ("collect", "up", 60),
    ("collect", "down", 80_000),
)
"""When the network spoils something, which way, and behind how many bytes at most."""

Needles = dict[Window, list[bytes]]
"""Bytes of each window's pixels that stand nowhere else."""


@dataclass(kw_only=True)
class Disturbed(PedSam):  # type: ignore[misc]
    """ped_sam, before and behind which something happens."""

    name = "disturbed"
    before: Callable[[], None] = lambda: None
    behind: Callable[[], None] = lambda: None

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        self.before()
        embedding: Embedding = super().embed(frame, edge, cloud)
        self.behind()
        return embedding


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What a pass meets with.

    Attributes:
        at_first: Called before the pass.
        defense: Calls the rest.
        struck: Whether it happened; from then on it does not any more.
    """

    at_first: Callable[[], None]
    defense: PedSam
    struck: Callable[[], bool]


class Passes:
    """Tries passes with faults.

    Args:
        seed: Of all that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._rng = np.random.default_rng(seed)
        self._networks = FamilyNetworks(family=MINI, random_seed=0)
        self._grid = window_grid(self._networks.network(W).image_encoder)
        self._assignment = assign("dispersed", self._grid.active(SIZE), SERVERS, np.random.default_rng(0))
        self._tallies = {name: Tally(fault=name, overdue=0.0) for name in KINDS}
        self._recent: deque[Needles] = deque(maxlen=5)
        self._fleet = Fleet(SERVERS, self._networks, patience=DEADLINE)
        self._usual = float(np.median([self._undisturbed() for _ in range(8)][2:]))

    def close(self) -> list[Tally]:
        """End the servers; what came of each fault."""
        torch.set_num_threads(self._threads)
        orphans = self._fleet.close()
        for tally in self._tallies.values():
            tally.orphans = orphans
        return [tally for tally in self._tallies.values() if tally.tries]

    def attempt(self, name: str) -> None:
        """Try one pass that a fault strikes, and put everything right again."""
        while not self._attempt(self._tallies[name], KINDS[name]):
            pass

    def _attempt(self, tally: Tally, kind: str) -> bool:
        """Try one pass; it counts if the fault struck before the pass was over."""
        server, frame = int(self._rng.integers(SERVERS)), self._frame()
        expected = self._embedded_here(frame)
        parts = {"network": self._network, "server": self._server, "message": self._message}
        trouble = parts[tally.fault.partition(":")[0]](kind, server)
        on_lost = ("fail", "edge")[int(self._rng.integers(2))]
        outcome, doubtful = "", True
        began = time.monotonic()
        try:
            trouble.at_first()
            done = self._run(trouble.defense, frame, on_lost)
        except FAILURES:
            outcome = "closed"
        # Whatever else is raised is a mistake of the program's.
        except Exception as error:
            tally.wrong.append(f"{tally.fault}: {type(error).__name__}: {error}")
        else:
            doubtful = bool(done.lost)
            outcome = "survived"
            if not done.embedding.features.equal(expected):
                tally.wrong.append(f"{tally.fault}: a pass ended with another embedding")
        lasted, struck = time.monotonic() - began, trouble.struck()
        # It was put there by a message fault.
        vars(self._fleet.servers).pop("call", None)
        if kind == "hang" and struck:
            # What was held back may still come in.
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
        """Have the relay spoil the next bytes at a moment that is drawn."""
        relay, (moment, way, far) = self._fleet.relays[server], _PLACES[int(self._rng.integers(len(_PLACES)))]
        fault = Fault(
            kind=kind,
            way=way,
            after=int(self._rng.integers(far)),
            seconds=float(self._rng.uniform(0.05, 2 * DEADLINE)),
        )
        return self._at(moment, lambda: relay.arm(fault), lambda: relay.struck)

    def _server(self, kind: str, server: int) -> Trouble:
        """Kill or stop a server, at a moment that is drawn."""
        strike = self._fleet.kill if kind == "kill" else self._fleet.stop
        moment = ("forget", "call", "meanwhile", "collect")[int(self._rng.integers(4))]
        if moment != "meanwhile":
            return self._at(moment, lambda: strike(server), lambda: True)
        fired = threading.Event()

        def later() -> None:
            fired.set()
            strike(server)

        timer = threading.Timer(float(self._rng.uniform(0, self._usual)), later)

        def struck() -> bool:
            timer.cancel()
            timer.join()
            return fired.is_set()

        return self._at("call", timer.start, struck)

    def _message(self, kind: str, server: int) -> Trouble:
        """Meddle with the first call of a server, or its reply."""
        servers = self._fleet.servers
        meddled = Meddled(
            servers.call(server),
            kind,
            SIDES[int(self._rng.integers(2))],
            float(self._rng.uniform(0.05, 2 * DEADLINE)),
            self._rng,
        )
        right = type(servers).call
        vars(servers)["call"] = lambda index: meddled if index == server else right(servers, index)
        return self._at("forget", _nothing, lambda: meddled.struck)

    def _at(self, moment: str, strike: Callable[[], None], struck: Callable[[], bool]) -> Trouble:
        """What happens when."""
        chunk = (0, 2)[int(self._rng.integers(2))]
        defense = Disturbed(servers=SERVERS, weights=W, chunk=chunk)
        at_first = _nothing
        match moment:
            case "forget":
                at_first = strike
            case "call":
                defense.before = strike
            case "collect":
                defense.behind = strike
        return Trouble(at_first=at_first, defense=defense, struck=struck)

    def _undisturbed(self) -> float:
        began = time.monotonic()
        self._run(PedSam(servers=SERVERS, weights=W), self._frame(), "fail")
        lasted = time.monotonic() - began
        there = [b"".join(self._fleet.received(server)) for server in range(SERVERS)]
        for server, windows in self._assignment.items():
            held = [
                window for window, marks in self._recent[-1].items() if all(m in there[server] for m in marks)
            ]
            if held != list(windows):
                raise RuntimeError(f"server {server} has the windows {held} instead of {windows}")
        return lasted

    def _run(self, defense: Any, frame: Picture, on_lost: Any) -> Any:
        return run_pass(
            defense,
            frame,
            self._fleet.servers,
            self._networks,
            np.random.default_rng(0),
            deadline=DEADLINE,
            on_lost=on_lost,
        )

    def _frame(self) -> Picture:
        """Noise, so that no window is like another, nor like one of another picture."""
        frame = to_picture(self._rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8))
        pixels = to_bytes(frame)
        rows = (1, 7, 22, 40)
        tiles = {window: cut_tiles(pixels, [window], self._grid)[0] for window in self._grid.active(SIZE)}
        self._recent.append(
            {window: [tile[row, :12].tobytes() for row in rows] for window, tile in tiles.items()}
        )
        return frame

    def _embedded_here(self, frame: Picture) -> torch.Tensor:
        """The embedding that the edge alone makes of it."""
        network = self._networks.network(W)
        with without_onednn(self._networks.exact), torch.inference_mode():
            encoded = encode_here(network, to_bytes(frame), self._grid.active(SIZE))
            tokens = stages(network)[0].assemble(encoded, SIZE)
            edge = PassEdge(networks=self._networks, rng=self._rng, request=0, clock=Clock())
            features: torch.Tensor = edge.finish(tokens, W).features
        return features

    def _strays(self) -> int:
        """Windows of recent pictures that reached a server which is not to have them."""
        found = 0
        for server in range(SERVERS):
            bytes_there = b"".join(self._fleet.received(server))
            own = self._assignment.get(server, ())
            for needles in self._recent:
                found += sum(
                    any(needle in bytes_there for needle in marks)
                    for window, marks in needles.items()
                    if window not in own
                )
        return found


def _nothing() -> None:
    pass

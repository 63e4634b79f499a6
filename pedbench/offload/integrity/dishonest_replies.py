"""Dishonest replies: the replies of honest servers, changed into those that lying servers would send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pedbench.base import Networks, Operation
from pedbench.offload.integrity.lie_names import LieName
from pedbench.offload.integrity.spot_checks import deviation, tolerated
from pedbench.offload.operations.payload_fields import places
from pedbench.offload.operations.tiles import stages
from pedbench.offload.wire.codec_labels import code
from pedbench.offload.wire.messages import Call, decode_answer, encode_answer
from pedbench.types import Assignment, Payload, Window

Tokens = npt.NDArray[Any]

_STEPS = 3
"""Number of steps of gradient ascent."""


@dataclass(kw_only=True)
class Lies:
    """The false tokens that some servers return in one pass.

    Server processes stay honest. Their replies are changed when they arrive, before the edge reads them. The liars are
    the first servers, by index, that got windows.

    Attributes:
        lie: `noise` with the tokens' mean and standard deviation per channel; `replay` of the server's tokens from an
            earlier pass, which changes nothing if there are none; `perturbed` tokens that push the embedding away;
            `nan`.
        liars: Largest number of servers that lie.
        strength: Deviation of perturbed tokens from the true ones; see `spot_checks.deviation`.
        windows: Largest number of false windows per message; by default all.
        seed: Seed of the noise and of the choice of windows.
        earlier: Tokens that servers returned in an earlier pass, by server; see `returned`.
        servers: Indices of the liars, set by `begin`.
        assigned: Number of windows that all servers got together, set by `begin`.
        wrong: Windows whose tokens deviate by more than the tolerance.
        returned: The true tokens, by server and window.
    """

    lie: LieName = "noise"
    liars: int = 0
    strength: float = 1.0
    windows: int | None = None
    seed: int = 0
    earlier: Mapping[int, Mapping[Window, Tokens]] = field(default_factory=dict)
    servers: frozenset[int] = frozenset()
    assigned: int = 0
    wrong: set[Window] = field(default_factory=set)
    returned: dict[int, dict[Window, Tokens]] = field(default_factory=dict)
    _ranks: dict[Window, int] = field(default_factory=dict)

    def begin(self, assignment: Assignment) -> None:
        """Choose the liars among the servers of an assignment."""
        used = sorted(server for server, windows in assignment.items() if windows)
        self.servers = frozenset(used[: self.liars])
        self.assigned = sum(map(len, assignment.values()))
        self._ranks = {w: rank for windows in assignment.values() for rank, w in enumerate(sorted(windows))}

    def forge(self, server: int, call: Call, operation: Operation, networks: Networks, data: bytes) -> bytes:
        """Return the reply that a server sends, which is false if it is a liar.

        Args:
            server: Index of the server.
            call: The call.
            operation: The operation that it calls.
            networks: The edge's models, which all servers have.
            data: The true reply as bytes.
        """
        if "tokens" not in operation.reply or "positions" not in call.payload:
            return data
        answer = decode_answer(data, operation.reply, call.reply)
        if answer.error:
            return data
        tokens = answer.payload["tokens"]
        windows = [(row, column) for row, column in call.payload["positions"].tolist()]
        self.returned.setdefault(server, {}).update(zip(windows, tokens, strict=True))
        if server not in self.servers:
            return data
        rng = np.random.default_rng([self.seed, server, call.sequence])
        rows = np.sort(rng.permutation(len(tokens))[: self.windows])
        false = tokens.copy()
        false[rows] = self._false_tokens(server, call, tokens, networks, rng)[rows]
        for window, returned, expected in zip(windows, false, tokens, strict=True):
            # Negated, so that NaN counts as wrong.
            if not deviation(torch.tensor(returned), torch.tensor(expected)) <= tolerated(call.reply):
                self.wrong.add(window)
        # Codecs cannot write NaN.
        use_codec = bool(call.reply) and self.lie != "nan"
        coded = {"tokens": code(false, call.reply, operation.reply["tokens"])} if use_codec else {}
        return encode_answer(replace(answer, payload={"tokens": false}, coded=coded))

    def _false_tokens(
        self, server: int, call: Call, tokens: Tokens, networks: Networks, rng: np.random.Generator
    ) -> Tokens:
        if self.lie == "nan":
            return np.full_like(tokens, np.nan)
        if self.lie == "noise":
            noise = rng.standard_normal(tokens.shape) * tokens.std(axis=(0, 1, 2))
            false: Tokens = (tokens.mean(axis=(0, 1, 2)) + noise).astype(tokens.dtype)
            return false
        if self.lie == "perturbed":
            network = networks.network(call.arguments["weights"])
            return perturbed(network, tokens, call.payload, self.strength).astype(tokens.dtype)
        earlier = [tokens for _, tokens in sorted(self.earlier.get(server, {}).items())]
        if not earlier:
            return tokens
        windows = [(row, column) for row, column in call.payload["positions"].tolist()]
        return np.stack([earlier[self._ranks[window] % len(earlier)] for window in windows])


def perturbed(network: Any, tokens: Tokens, payload: Payload, strength: float) -> npt.NDArray[np.float32]:
    """Move tokens by a fixed distance so that the embedding moves far, by a few steps of gradient ascent.

    The liar does not know the windows of other servers, and assumes that they are zero.

    Args:
        network: The network that computed the tokens.
        tokens: (n, window, window, C) tokens of one message.
        payload: Payload of the call, with the windows' positions.
        strength: Distance by which each token moves, relative to the root mean square length of its window's tokens.

    Returns:
        Tokens of the same shape.
    """
    stage, finish = stages(network)
    windows, frame = places(payload, stage.grid)
    with torch.inference_mode(False), torch.enable_grad():
        true = torch.tensor(tokens, dtype=torch.float32, device=network.device)
        lengths = true.norm(dim=-1).square().mean(dim=(1, 2), keepdim=True).sqrt()[..., None]
        empty = {window: torch.zeros_like(true[0]) for window in stage.grid.active(frame)}
        embedding = finish(stage.assemble(empty | dict(zip(windows, true, strict=True)), frame)).detach()
        change = torch.randn(true.shape, generator=torch.Generator().manual_seed(0)).to(true)
        for _ in range(_STEPS):
            change = (change / change.norm(dim=-1, keepdim=True) * strength * lengths).requires_grad_()
            moved = empty | dict(zip(windows, true + change, strict=True))
            distance = (finish(stage.assemble(moved, frame)) - embedding).square().sum()
            (gradient,) = torch.autograd.grad(distance, change)
            change = (change + gradient / gradient.norm(dim=-1, keepdim=True) * strength * lengths).detach()
        false = true + change / change.norm(dim=-1, keepdim=True) * strength * lengths
    result: npt.NDArray[np.float32] = false.cpu().numpy()
    return result

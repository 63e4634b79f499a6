"""Servers that lie: what the edge would receive from them, made from what honest ones replied."""

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
"""Of gradient ascent."""


@dataclass(kw_only=True)
class Lies:
    """What some servers return in the place of the tokens of one pass.

    Servers stay honest; their replies are changed where they arrive, before anything of them is read. The first of
    those that hold windows are the liars.

    Attributes:
        lie: `noise` with the tokens' mean and spread by channel; `replay` of what the server returned in an earlier
            pass, no lie where it returned nothing; `perturbed` tokens that push the embedding away; `nan`.
        liars: How many servers lie, at most.
        strength: How far a perturbed token is from what it should be; see `integrity.deviation`.
        windows: How many of a message's windows are lied about, at most; all without it.
        seed: Of the noise, and of which windows are lied about.
        earlier: By server what it returned in an earlier pass; see `returned`.
        servers: The liars, once windows were assigned.
        assigned: How many windows all servers got.
        wrong: Windows whose tokens are further off than is let pass.
        returned: What each server really returned, by window.
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
    _places: dict[Window, int] = field(default_factory=dict)

    def begin(self, assignment: Assignment) -> None:
        """Choose the liars.

        Args:
            assignment: Per server its windows.
        """
        self.servers = frozenset(sorted(server for server, held in assignment.items() if held)[: self.liars])
        self.assigned = sum(map(len, assignment.values()))
        self._places = {w: place for held in assignment.values() for place, w in enumerate(sorted(held))}

    def forge(self, server: int, call: Call, operation: Operation, networks: Networks, data: bytes) -> bytes:
        """A reply as it would have come.

        Args:
            call: What was asked.
            operation: What it asked for.
            networks: The edge's models, which all servers have.
            data: The reply as the server sent it.
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
        told = tokens.copy()
        told[rows] = self._told(server, call, tokens, networks, rng)[rows]
        for window, mine, right in zip(windows, told, tokens, strict=True):
            if not deviation(torch.tensor(mine), torch.tensor(right)) <= tolerated(call.reply):
                self.wrong.add(window)
        lying = replace(answer, payload={"tokens": told})
        # Codecs do not write what is not finite.
        coded = bool(call.reply) and self.lie != "nan"
        return encode_answer(
            lying, {"tokens": code(told, call.reply, operation.reply["tokens"])} if coded else None
        )

    def _told(
        self, server: int, call: Call, tokens: Tokens, networks: Networks, rng: np.random.Generator
    ) -> Tokens:
        if self.lie == "nan":
            return np.full_like(tokens, np.nan)
        if self.lie == "noise":
            drawn = rng.standard_normal(tokens.shape) * tokens.std(axis=(0, 1, 2))
            told: Tokens = (tokens.mean(axis=(0, 1, 2)) + drawn).astype(tokens.dtype)
            return told
        if self.lie == "perturbed":
            network = networks.network(call.arguments["weights"])
            return perturbed(network, tokens, call.payload, self.strength).astype(tokens.dtype)
        before = [tokens for _, tokens in sorted(self.earlier.get(server, {}).items())]
        if not before:
            return tokens
        windows = [(row, column) for row, column in call.payload["positions"].tolist()]
        return np.stack([before[self._places[window] % len(before)] for window in windows])


def perturbed(network: Any, tokens: Tokens, payload: Payload, strength: float) -> npt.NDArray[np.float32]:
    """Tokens changed so much that the embedding goes as far away as a few steps of gradient ascent bring it.

    The liar does not know the other servers' windows, and takes them for empty.

    Args:
        network: Whose tokens they are.
        tokens: (n, window, window, C) of one message.
        payload: What was asked, with the windows' places.
        strength: How far each token moves, relative to the root mean square length of its window's.
    """
    stage, finish = stages(network)
    windows, frame = places(payload, stage.grid)
    with torch.inference_mode(False), torch.enable_grad():
        right = torch.tensor(tokens, dtype=torch.float32, device=network.device)
        lengths = right.norm(dim=-1).square().mean(dim=(1, 2), keepdim=True).sqrt()[..., None]
        empty = {window: torch.zeros_like(right[0]) for window in stage.grid.active(frame)}
        embedding = finish(stage.assemble(empty | dict(zip(windows, right, strict=True)), frame)).detach()
        change = torch.randn(right.shape, generator=torch.Generator().manual_seed(0)).to(right)
        for _ in range(_STEPS):
            change = (change / change.norm(dim=-1, keepdim=True) * strength * lengths).requires_grad_()
            moved = empty | dict(zip(windows, right + change, strict=True))
            distance = (finish(stage.assemble(moved, frame)) - embedding).square().sum()
            (gradient,) = torch.autograd.grad(distance, change)
            change = (change + gradient / gradient.norm(dim=-1, keepdim=True) * strength * lengths).detach()
        told = right + change / change.norm(dim=-1, keepdim=True) * strength * lengths
    found: npt.NDArray[np.float32] = told.cpu().numpy()
    return found

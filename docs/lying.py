"""Virtual servers that lie, to measure what spot checks find: `LyingNetworks` are their networks."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pedbench.models.family import FamilyNetworks
from pedbench.offload.operations import EncodeWindows
from pedbench.offload.payloads import places
from pedbench.offload.tiles import stages
from pedbench.types import Payload

_STEPS = 3
"""Of gradient ascent."""

_honest = EncodeWindows.run
_earlier: dict[tuple[int, ...], npt.NDArray[Any]] = {}


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What liars do.

    Attributes:
        liars: Indices of the servers that lie.
        lie: `noise` as the tokens' own, `replay` of the tokens of the message before, `perturbed` tokens that push the
            embedding away, `infinite` ones, or a `short` reply.
        windows: How many of a message's windows are lied about, at most.
        strength: How far a perturbed token is from what it should be; see `integrity.deviation`.
    """

    liars: tuple[int, ...] = ()
    lie: str = "noise"
    windows: int = 1000
    strength: float = 0.1


@dataclass(frozen=True, kw_only=True)
class LyingNetworks(FamilyNetworks):
    """Networks of servers that follow orders.

    Attributes:
        file: Where the orders are.
    """

    file: Path

    def order(self, orders: Orders) -> None:
        """Tell the servers what to do from now on."""
        partial = self.file.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(asdict(orders)), encoding="utf-8")
        partial.replace(self.file)

    def told(self) -> Orders | None:
        """What this process has to do, if it is a server that lies."""
        name, _, index = multiprocessing.current_process().name.partition(" ")
        orders = Orders(**json.loads(self.file.read_text(encoding="utf-8")))
        return orders if name == "server" and int(index) in orders.liars else None


def _run(
    self: EncodeWindows, payload: Payload, arguments: Mapping[str, str], networks: FamilyNetworks
) -> Payload:
    if not isinstance(networks, LyingNetworks):
        return _honest(self, payload, arguments, networks)
    # Loaded where gradients can pass.
    with torch.inference_mode(False):
        network = networks.network(arguments["weights"])
    tokens: npt.NDArray[Any] = _honest(self, payload, arguments, networks)["tokens"]
    before = _earlier.get(tokens.shape, tokens)
    _earlier[tokens.shape] = tokens.copy()
    orders = networks.told()
    if orders is None:
        return {"tokens": tokens}
    rng = np.random.default_rng()
    told = tokens.copy()
    rows = np.sort(rng.permutation(len(tokens))[: orders.windows])
    match orders.lie:
        case "noise":
            drawn = rng.standard_normal(told[rows].shape) * tokens.std(axis=(0, 1, 2))
            told[rows] = tokens.mean(axis=(0, 1, 2)) + drawn
        case "replay":
            told[rows] = before[rows]
        case "perturbed":
            told[rows] = _perturbed(network, tokens, payload, orders.strength)[rows]
        case "infinite":
            told[rows] = np.inf
        case "short":
            told = told[1:]
        case _:
            raise ValueError(f"there is no lie {orders.lie!r}")
    return {"tokens": told}


setattr(EncodeWindows, "run", _run)  # noqa: B010


def _perturbed(
    network: Any, tokens: npt.NDArray[Any], payload: Payload, strength: float
) -> npt.NDArray[np.float32]:
    """Tokens changed so much that the embedding goes as far away as a few steps of gradient ascent bring it.

    The liar does not know the other servers' windows, and takes them for empty.
    """
    stage, finish = stages(network)
    windows, frame = places(payload, stage.grid)
    with torch.inference_mode(False), torch.enable_grad():
        right = torch.tensor(tokens, dtype=torch.float32)
        lengths = right.norm(dim=-1).square().mean(dim=(1, 2), keepdim=True).sqrt()[..., None]
        empty = {window: torch.zeros_like(right[0]) for window in stage.grid.active(frame)}
        embedding = finish(stage.assemble(empty | dict(zip(windows, right, strict=True)), frame)).detach()
        change = torch.randn(right.shape, generator=torch.Generator().manual_seed(0))
        for _ in range(_STEPS):
            change = (change / change.norm(dim=-1, keepdim=True) * strength * lengths).requires_grad_()
            moved = empty | dict(zip(windows, right + change, strict=True))
            distance = (finish(stage.assemble(moved, frame)) - embedding).square().sum()
            (gradient,) = torch.autograd.grad(distance, change)
            change = (change + gradient / gradient.norm(dim=-1, keepdim=True) * strength * lengths).detach()
        found: npt.NDArray[np.float32] = (
            right + change / change.norm(dim=-1, keepdim=True) * strength * lengths
        ).numpy()
    return found

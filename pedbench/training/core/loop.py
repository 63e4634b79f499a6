"""The training loop: optimisers, schedule, running average of the weights, checkpoints that resume exactly."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pedbench.host.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Learning rate over the steps: warm-up, constant, decay to zero.

    The constant part can be prolonged later, as the state at its end is kept.

    Attributes:
        steps: Steps in all.
        warmup: Steps of linear warm-up.
        decay: Share of the steps, at the end, over which the rate falls; 1 for no constant part.
        cosine: Whether it falls along half a cosine instead of a line.
        rate: The constant learning rate.
        momentum: Momentum of the running average of the weights, which is evaluated and shipped.
    """

    steps: int
    warmup: int = 200
    decay: float = 0.25
    cosine: bool = False
    rate: float = 1e-3
    momentum: float = 0.998

    def factor(self, step: int) -> float:
        left = min(1.0, (self.steps - step) / max(self.decay * self.steps, 1))
        if self.cosine:
            left = math.sin(math.pi / 2 * left) ** 2
        return min((step + 1) / self.warmup, left)

    @property
    def decay_starts(self) -> int:
        return self.steps - int(self.decay * self.steps)


_STACKS = (".blocks.", ".transformer.", ".layers.", ".decoder_layers.")
"""Name parts of repeated layers (transformer blocks) in different libraries."""


class Trainer:
    """Training of one network.

    Args:
        network: The network to train and ship.
        auxiliary: Further modules that are trained with it and discarded.
        schedule: Learning rate.
        folder: Folder of the checkpoint `last.pt`, the checkpoint before the decay `stable.pt`, and `log.jsonl`.
        writes: Whether this process writes them; exactly one of several processes does.

    Attributes:
        step: Steps done.
        seconds: Seconds that they took.
        validations: Scores so far; part of checkpoints.
    """

    def __init__(
        self,
        network: nn.Module,
        auxiliary: nn.Module,
        schedule: Schedule,
        folder: Path,
        *,
        writes: bool = True,
    ) -> None:
        self.network, self.auxiliary, self.schedule, self.folder = network, auxiliary, schedule, folder
        self.writes = writes
        self.step = 0
        self.seconds = 0.0
        self.validations: list[dict[str, float]] = []
        matrices = [p for n, p in network.named_parameters() if _is_hidden_matrix(n, p)]
        chosen = {id(p) for p in matrices}
        rest = [
            p for m in (network, auxiliary) for p in m.parameters() if p.requires_grad and id(p) not in chosen
        ]
        self.optimisers: list[torch.optim.Optimizer] = []
        if matrices:
            # Orthogonalised updates for hidden matrices; with Adam's scale of updates, one rate fits both.
            muon = torch.optim.Muon(
                matrices, lr=schedule.rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
            )
            self.optimisers.append(muon)
        adam = torch.optim.AdamW(rest, lr=schedule.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.optimisers.append(adam)
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @property
    def optimiser_bytes(self) -> int:
        """Bytes of the optimisers' state after the first step: one float per weight, for Adam two."""
        counts = [
            sum(p.numel() for group in optimiser.param_groups for p in group["params"])
            for optimiser in self.optimisers
        ]
        each = [8 if isinstance(optimiser, torch.optim.AdamW) else 4 for optimiser in self.optimisers]
        return sum(count * size for count, size in zip(counts, each, strict=True))

    def resume(self) -> bool:
        """Load `last.pt`, or `stable.pt` to prolong the schedule; return whether either was loaded."""
        for name in ("last.pt", "stable.pt"):
            path = self.folder / name
            if not path.exists():
                continue
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["step"] > self.schedule.decay_starts and state["steps"] != self.schedule.steps:
                continue
            self.network.load_state_dict(state["network"])
            self.auxiliary.load_state_dict(state["auxiliary"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            for key, value in state["average"].items():
                self.average[key].copy_(value)
            self.step, self.seconds = state["step"], state.get("seconds", 0.0)
            self.validations = state.get("validations", [])
            return True
        return False

    def save(self, name: str = "last.pt") -> None:
        """Write a checkpoint atomically."""
        if not self.writes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "steps": self.schedule.steps,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "auxiliary": self.auxiliary.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "average": self.average,
            "validations": self.validations,
        }
        write_atomically(self.folder / name, lambda partial: torch.save(state, partial))

    def update(self, loss: Tensor) -> None:
        """Do one optimiser step on the loss."""
        factor = self.schedule.factor(self.step)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([p for m in (self.network, self.auxiliary) for p in m.parameters()], 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.schedule.rate * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        # A small momentum at first keeps the initialisation out of the average.
        momentum = min(self.schedule.momentum, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for key, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - momentum)

    def run(
        self,
        steps: Iterator[tuple[int, Any]],
        loss_of: Callable[[int, Any], tuple[Tensor, dict[str, float]]],
        report: Callable[[int, dict[str, float]], None],
        checkpoint_seconds: float = 120,
    ) -> None:
        """Train for all steps; saves regularly, at the start of the decay and at the end."""
        saved = counted = time.monotonic()
        for step, batch in steps:
            if 0 < step == self.schedule.decay_starts:
                self.save("stable.pt")
            loss, values = loss_of(step, batch)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss at step {step} is {loss.item()}; lower the learning rate")
            self.update(loss)
            counted, passed = time.monotonic(), time.monotonic() - counted
            self.seconds += passed
            report(step, values)
            if counted - saved > checkpoint_seconds:
                self.save()
                saved = counted
        self.save()

    def log(self, values: dict[str, float]) -> None:
        """Append a line to the training log."""
        if not self.writes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **values}) + "\n")


def _is_hidden_matrix(name: str, parameter: nn.Parameter) -> bool:
    inner = any(part in f".{name}" for part in _STACKS)
    return parameter.requires_grad and parameter.ndim == 2 and inner and "rel_pos" not in name

"""Setting of a first contact, and measurements that several steps share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pedbench.host.device import synchroniser
from pedbench.models.sam.architectures import VIT_B, VIT_H, Architecture
from tools.benchmarks.encoder_costs import Run, interleaved


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Device and extent of a first contact.

    Attributes:
        device: Torch's name of the device.
        folder: Folder of the results.
        small: Whether to use encoders of two blocks, few pictures and few steps, to try the script itself.
    """

    device: str
    folder: Path
    small: bool

    @property
    def is_cuda(self) -> bool:
        """Whether the device is an NVIDIA GPU."""
        return torch.device(self.device).type == "cuda"

    @property
    def repeats(self) -> int:
        """Number of times that a computation is timed."""
        return 1 if self.small else 5

    def architecture(self, name: str) -> Architecture:
        """Return SAM's `vit_b` or `vit_h`; when small, two blocks of a quarter of its heads, windows padded as well."""
        sizes = {"vit_b": VIT_B, "vit_h": VIT_H}[name]
        if not self.small:
            return sizes
        return replace(
            sizes,
            name=f"{name}, 2 blocks",
            image_size=320,
            embed_dim=sizes.embed_dim // 4,
            heads=sizes.heads // 4,
            depth=2,
            global_blocks=(1,),
        )


def attempt(measure: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return a measurement; if it raises, the exception's first line as `error`.

    A variant that a device refuses must not hide the others.
    """
    try:
        return dict(measure())
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:160]}


def compare(runs: Mapping[str, Run], setting: Setting) -> dict[str, dict[str, Any]]:
    """Measure computations that take turns.

    Returns:
        For each its median `seconds`, and on CUDA `peak_bytes` beyond what was allocated before; or its `error`.
    """
    wait = synchroniser(torch.device(setting.device))

    def completed(run: Run) -> Run:
        return lambda: (run(), wait())

    complete = {name: completed(run) for name, run in runs.items()}
    found = {name: attempt(lambda run=run: _peak(run, setting)) for name, run in complete.items()}  # type: ignore[misc]
    able = {name: run for name, run in complete.items() if "error" not in found[name]}
    for name, seconds in interleaved(able, setting.repeats).items():
        found[name]["seconds"] = float(np.median(seconds))
    return found


def _peak(run: Run, setting: Setting) -> dict[str, int]:
    if not setting.is_cuda:
        run()
        return {}
    run()  # Libraries allocate their workspaces once.
    before = torch.cuda.memory_allocated(setting.device)
    torch.cuda.reset_peak_memory_stats(setting.device)
    run()
    return {"peak_bytes": torch.cuda.max_memory_allocated(setting.device) - before}

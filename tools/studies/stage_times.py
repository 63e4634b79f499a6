"""Speed of this host as a `Device`: the stages of a network, timed."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import torch

from pedbench.base import Networks
from pedbench.host.determinism import torch_threads, without_onednn
from pedbench.latency import multiply_adds
from pedbench.latency.devices import THIS_HOST, Device
from pedbench.models.sam.architectures import Architecture
from pedbench.offload.operations.builtin import EncodeWindows
from pedbench.offload.operations.tiles import stages
from pedbench.types import Payload


def measure_host(network: Architecture, networks: Networks, *, threads: int, repeats: int = 5) -> Device:
    """Time the window stage and the global stage of a network here.

    Args:
        network: The architecture of `networks`' network in PED order.
        networks: With that network, its weights being of no matter.
        threads: Of the computing.
        repeats: Runs of each, of which the median counts.
    """
    windows = network.grid.windows
    few, many = windows[:1], windows[: max(2, min(len(windows), 8))]
    global_stage = stages(networks.network("fine-tuned"))[1]
    tokens = torch.zeros(1, *network.tokens, network.embed_dim, device=networks.network("fine-tuned").device)
    with torch_threads(threads):
        short, long = (_window_seconds(network, networks, each, repeats) for each in (few, many))
        mixing = _seconds(lambda: global_stage(tokens), repeats)
    work = [multiply_adds.window_stage(network, each) for each in (few, many)]
    rate = (work[1] - work[0]) / max(long - short, 1e-9)
    return Device(
        name=THIS_HOST,
        about=f"{platform.machine()}, {threads} threads, measured",
        window_rate=rate,
        global_rate=(multiply_adds.global_blocks(network) + multiply_adds.neck(network)) / mixing,
        start=max(0.0, short - work[0] / rate),
    )


def _window_seconds(
    network: Architecture, networks: Networks, windows: Sequence[tuple[int, int]], repeats: int
) -> float:
    side = network.window_size * network.patch_size
    payload: Payload = {
        "pixels": np.zeros((len(windows), side, side, 3), np.uint8),
        "positions": np.array(windows, np.int32),
        "frame": np.array(network.grid.canvas, np.int32),
    }
    arguments = {"weights": "fine-tuned", "reply": "float32"}
    return _seconds(lambda: EncodeWindows().run(payload, arguments, networks), repeats)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median over runs, after one warm-up."""
    seconds = []
    with without_onednn(), torch.inference_mode():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
    return median(seconds[1:])

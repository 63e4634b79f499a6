"""Time, memory and exactness of the image encoder against other implementations."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pedbench.host.determinism import without_onednn
from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.assembly import build_sam, randomise
from pedbench.models.sam.onednn_linear import linear
from pedbench.models.sam.stages import WindowStage

REFERENCE = "segment_anything float32"
FAST = "pedbench float32"
FAST_BF16 = "pedbench bfloat16"
TRANSFORMERS = "transformers float32"
ENCODERS = (REFERENCE, TRANSFORMERS, FAST, FAST_BF16)

Run = Callable[[], Any]


def encoder(name: str, sizes: Architecture, device: str = "cpu") -> Any:
    """Build an encoder with random weights, which are equal for `segment_anything` and `pedbench`."""
    source, dtype = name.split()
    if source == "transformers":
        from transformers import SamVisionConfig, SamVisionModel

        config = SamVisionConfig(
            hidden_size=sizes.embed_dim,
            num_hidden_layers=sizes.depth,
            num_attention_heads=sizes.heads,
            image_size=sizes.image_size,
            patch_size=sizes.patch_size,
            window_size=sizes.window_size,
            global_attn_indexes=list(sizes.global_blocks),
            mlp_dim=int(sizes.embed_dim * sizes.mlp_ratio),
        )
        built: Any = SamVisionModel(config).eval()
    else:
        sam = build_sam(sizes, fast=source == "pedbench")
        randomise(sam, 0)
        built = sam.image_encoder
    return built.requires_grad_(False).to(device, getattr(torch, dtype))


def picture(sizes: Architecture, batch: int = 1) -> Tensor:
    """Draw normalised pixels, (batch, 3, side, side)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, sizes.image_size, sizes.image_size, generator=generator)


def encode(built: Any, pixels: Tensor) -> Any:
    """Run an encoder as the benchmark runs it: in float32 without oneDNN's convolutions."""
    pixels = pixels.to(next(built.parameters()))
    with torch.inference_mode(), without_onednn(pixels.dtype == torch.float32):
        return built(pixels)


def interleaved(runs: Mapping[str, Run], repeats: int) -> dict[str, np.ndarray[Any, Any]]:
    """Measure the seconds of each run, (repeats,), in turns, after a warm-up turn."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                torch.cuda.synchronize()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def encoder_seconds(sizes: Architecture, repeats: int) -> tuple[dict[str, np.ndarray[Any, Any]], float]:
    """Measure the seconds of `ENCODERS`, and our largest difference from `segment_anything`'s output in float32."""
    built = {name: encoder(name, sizes) for name in ENCODERS}
    pixels = picture(sizes)
    seconds = interleaved({name: lambda own=own: encode(own, pixels) for name, own in built.items()}, repeats)  # type: ignore[misc]
    apart = (encode(built[REFERENCE], pixels) - encode(built[FAST], pixels)).abs().max()
    return seconds, float(apart)


def window_seconds(
    sizes: Architecture, counts: Sequence[int], repeats: int
) -> dict[int, np.ndarray[Any, Any]]:
    """Measure the seconds of the window stage on all windows, in batches of each of `counts`."""
    ours = encoder(FAST, sizes.reordered("reordered"))
    stage = WindowStage(ours)
    windows = stage.grid.windows
    tokens = torch.randn(len(windows), stage.grid.window, stage.grid.window, sizes.embed_dim)

    def run(count: int) -> None:
        with torch.inference_mode(), without_onednn():
            for first in range(0, len(windows), count):
                stage(tokens[first : first + count], windows[first : first + count])

    found = interleaved({str(count): lambda count=count: run(count) for count in counts}, repeats)  # type: ignore[misc]
    return {int(count): seconds for count, seconds in found.items()}


def peak_memory(name: str, sizes: Architecture) -> int:
    """Measure the peak bytes of a separate process that encodes a picture, with weights and libraries."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (name, sizes, torch.get_num_threads()))


def _peak(name: str, sizes: Architecture, threads: int) -> int:
    torch.set_num_threads(threads)
    built, pixels = encoder(name, sizes), picture(sizes)
    # This resets the peak.
    Path("/proc/self/clear_refs").write_text("5")
    encode(built, pixels)
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def products(sizes: Architecture, dtype: torch.dtype) -> float:
    """Measure the multiply-adds per second of products of the size of the encoder's MLP, the best of many."""
    width, hidden = sizes.embed_dim, int(sizes.embed_dim * sizes.mlp_ratio)
    layer = torch.nn.Linear(width, hidden).to(dtype).requires_grad_(False)
    x = torch.randn(4096, width).to(dtype)
    seconds = interleaved({"product": lambda: linear(layer, x)}, 30)["product"]
    return float(4096 * width * hidden / seconds.min())


def multiply_adds(sizes: Architecture) -> float:
    """Count the multiply-adds of `segment_anything`'s encoder, without those of the padding of windows."""
    sam = build_sam(sizes, fast=False, allocate=False)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        sam.image_encoder(torch.zeros(1, 3, sizes.image_size, sizes.image_size, device="meta"))
    grid = sizes.grid
    padding = grid.count * grid.window**2 - grid.tokens[0] * grid.tokens[1]
    blocks = sizes.depth - len(sizes.global_blocks)
    return float(counter.get_total_flops() / 2 - blocks * padding * 4 * sizes.embed_dim**2)

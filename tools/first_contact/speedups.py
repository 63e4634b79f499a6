"""Speed-ups that only a device can judge: `torch.compile`, CUDA graphs and asynchronous copies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pedbench.models.sam.stages import GlobalStage
from pedbench.report.words.text import NOTHING, quantity, table
from tools.benchmarks.encoder_costs import Run, encode, encoder, picture
from tools.first_contact.cells import duration, errors, memory, ratio, small_number
from tools.first_contact.setting import Setting, attempt, compare

PLAIN = "as it is"
PICTURES = 8
"""Pictures in a row whose tokens are copied to the device."""

Stage = Callable[[Tensor], Tensor]


def graphed(stage: Stage, example: Tensor) -> Stage:
    """Record a computation as a CUDA graph.

    Args:
        stage: The computation; it copies nothing from or to the CPU.
        example: Tokens of the only shape that the graph computes.

    Returns:
        The same computation; each call overwrites the result of the call before.

    Raises:
        RuntimeError: The device is not CUDA, or refuses to record the computation.
    """
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):  # Kernels are chosen and constants are cached outside of the record.
            stage(example)
    torch.cuda.current_stream().wait_stream(side)
    graph, read = torch.cuda.CUDAGraph(), example.clone()
    with torch.cuda.graph(graph):
        result = stage(read)

    def replay(tokens: Tensor) -> Tensor:
        read.copy_(tokens)
        graph.replay()
        return result

    return replay


def in_order(stage: Stage, tokens: Sequence[Tensor], device: str) -> list[Tensor]:
    """Copy tokens from the CPU to the device and compute, one picture after the other."""
    return [stage(each.to(device)) for each in tokens]


def overlapped(stage: Stage, tokens: Sequence[Tensor], device: str) -> list[Tensor]:
    """Copy each picture's tokens from pinned memory while the device computes the picture before."""
    copying = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    computing = torch.cuda.current_stream()

    def fetch(index: int) -> Tensor:
        with torch.cuda.stream(copying):
            return tokens[index].pin_memory().to(device, non_blocking=True)

    found, following = [], fetch(0)
    for index in range(len(tokens)):
        computing.wait_stream(copying)
        current = following
        # The allocator must not reuse the memory before the computation has read it.
        current.record_stream(computing)
        if index + 1 < len(tokens):
            following = fetch(index + 1)
        found.append(stage(current))
    return found


def measure(setting: Setting) -> dict[str, Any]:
    """Measure the speed-ups on ViT-B in PED order, in bfloat16, one picture at a time."""
    sizes = setting.architecture("vit_b").reordered("PED order")
    network = encoder("pedbench bfloat16", sizes, setting.device)
    pixels = picture(sizes).to(setting.device, torch.bfloat16)
    stage = GlobalStage(network)
    tokens = torch.randn(1, *sizes.tokens, sizes.embed_dim).to(setting.device, torch.bfloat16)
    rows = {
        "whole encoder": versions(partial(encode, network), pixels, setting),
        "the edge's global blocks": versions(stage, tokens, setting),
        f"global blocks, tokens of {PICTURES} pictures from the CPU": _copies(
            stage, [tokens.float().cpu() + index for index in range(PICTURES)], setting
        ),
    }
    return {
        "rows": [{"part": part, "variant": name, **row} for part in rows for name, row in rows[part].items()]
    }


def versions(plain: Stage, tokens: Tensor, setting: Setting) -> dict[str, dict[str, Any]]:
    """Compare a computation with its compiled version and its CUDA graph.

    Args:
        plain: The computation.
        tokens: Its argument on the device.
        setting: Device and repeats.

    Returns:
        For each version the entries of `compare`, `preparation` in seconds until the first result, and the
        `largest` error over the standard deviation of the computation's own result.
    """
    with torch.inference_mode():
        expected = plain(tokens).float()
    runs: dict[str, Run] = {PLAIN: partial(_infer, plain, tokens)}
    prepared: dict[str, dict[str, Any]] = {PLAIN: {}}
    makers: dict[str, Callable[[], Stage]] = {
        "compiled": partial(torch.compile, plain, dynamic=False),
        "CUDA graph": partial(graphed, plain, tokens),
    }
    for name, make in makers.items():

        def prepare(name: str = name, make: Callable[[], Stage] = make) -> dict[str, Any]:
            start = time.perf_counter()
            with torch.inference_mode():
                stage = make()
                first = stage(tokens).float()
            largest = float((first - expected).abs().max() / expected.std())
            runs[name] = partial(_infer, stage, tokens)
            return {"largest": largest, "preparation": time.perf_counter() - start}

        prepared[name] = attempt(prepare)
    found = compare(runs, setting)
    return {name: {**row, **found.get(name, {})} for name, row in prepared.items()}


def _infer(stage: Stage, tokens: Tensor) -> Tensor:
    with torch.inference_mode():
        return stage(tokens)


def _copies(stage: Stage, tokens: Sequence[Tensor], setting: Setting) -> dict[str, dict[str, Any]]:
    ways = {PLAIN: in_order, "copies from pinned memory, overlapped": overlapped}

    def run(way: Callable[..., list[Tensor]]) -> list[Tensor]:
        with torch.inference_mode():
            return way(stage, tokens, setting.device)

    return compare({name: partial(run, way) for name, way in ways.items()}, setting)


def show(result: Mapping[str, Any]) -> str:
    """Return a table with a line for each part and version."""
    rows = result["rows"]
    reference = {row["part"]: row for row in rows if row["variant"] == PLAIN}
    lines = [
        [
            row["part"],
            row["variant"],
            duration(row),
            ratio(row, reference[row["part"]]),
            quantity(row["preparation"], "s") if "preparation" in row else NOTHING,
            memory(row),
            small_number(row, "largest"),
        ]
        for row in rows
    ]
    headers = ["part", "version", "time", "ratio", "preparation", "peak memory", "largest error"]
    return "\n\n".join(
        filter(
            None,
            [
                "ViT-B in PED order, bfloat16, one picture at a time. The ratio is to the same part as it is; "
                "preparation is the time until the first result; errors are relative to the standard deviation of the "
                "result.",
                table(headers, lines, left=2),
                errors(rows, "variant"),
            ],
        )
    )

"""A short `pedbench train ped-sam` on the device: speed, loss, and memory against the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pedbench.models.sam.architectures import VIT_B
from pedbench.models.sam.assembly import build_sam, random_tensors
from pedbench.models.sam.checkpoints import write_tensors
from pedbench.report.words.text import NOTHING, quantity
from pedbench.scenes.store import write_split
from pedbench.training.core.loop import Schedule
from pedbench.training.fine_tuning.distillation import DistillationRecipe
from pedbench.training.fine_tuning.ped_sam import fine_tune_ped_sam
from tools.first_contact.setting import Setting

LARGE = 24 * 2**30
"""Bytes of memory from which eight pictures are computed at once; the plan says 18.8 GiB."""


def measure(setting: Setting) -> dict[str, Any]:
    """Fine-tune ViT-B with random weights for 50 steps; when small, the trained `sam-mini` for four."""
    steps, batch, held_out = (4, 2, 2) if setting.small else (50, 8, 8)
    scenes = setting.folder / "scenes"
    write_split(scenes, seed=3, count=2 * batch + held_out, split="train", workers=1)
    at_once = batch
    if setting.is_cuda:
        if torch.cuda.get_device_properties(setting.device).total_memory < LARGE:
            at_once = 1
        torch.cuda.reset_peak_memory_stats(setting.device)
    messages: list[str] = []
    out = setting.folder / "training"
    recipe = DistillationRecipe(
        schedule=Schedule(steps=steps, warmup=max(1, steps // 10), decay=1.0, cosine=True, rate=4e-4),
        batch=batch,
        held_out=held_out,
        every=steps // 2,
        precision="bf16",
    )
    training = fine_tune_ped_sam(
        teacher="sam-mini" if setting.small else str(_random_teacher(setting.folder)),
        images=scenes / "images",
        out=out,
        recipe=recipe,
        at_once=at_once,
        cpu=not setting.is_cuda,
        say=messages.append,
    )
    kept = training.run()
    logged = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text().splitlines()]
    peak = {"peak_bytes": torch.cuda.max_memory_allocated(setting.device)} if setting.is_cuda else {}
    return {
        "steps": steps,
        "batch": batch,
        "at_once": at_once,
        "messages": messages,
        "log": logged,
        "kept": kept,
        **peak,
    }


def _random_teacher(folder: Path) -> Path:
    """Write ViT-B with random weights in the official format, once, and return the file."""
    file = folder / "sam_vit_b_random.pth"
    if not file.exists():
        write_tensors(dict(random_tensors(build_sam(VIT_B, allocate=False).state_dict(), 0)), file)
    return file


def show(result: Mapping[str, Any]) -> str:
    """Return speed, loss and memory in a line each, after what the training said of itself."""
    steps = [line for line in result["log"] if "distance" in line]
    first, last = steps[0], steps[-1]
    peak = quantity(result["peak_bytes"], "B") if "peak_bytes" in result else NOTHING
    return "\n".join(
        [
            f"- {result['steps']} steps of {result['batch']} pictures, {result['at_once']} at once, in bfloat16",
            f"- pictures per second: {last['pictures_per_second']:.3g}",
            f"- running average of the distance: {first['distance']:.4f} after step {first['step']}, "
            f"{last['distance']:.4f} after step {last['step']}",
            f"- peak memory on the device: {peak}; the plan is below",
            "",
            *("    " + line for message in result["messages"][:2] for line in message.splitlines()),
        ]
    )

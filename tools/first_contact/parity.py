"""Parity of encoders and masks on the device with those of the CPU in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pedbench.host.device import DTYPES
from pedbench.models.sam.architectures import Architecture
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.registry import Registry
from pedbench.report.words.text import code, table
from pedbench.types import Picture
from tools.benchmarks.encoder_costs import REFERENCE, encode, encoder, picture
from tools.first_contact.cells import errors, small_number
from tools.first_contact.setting import Setting, attempt
from tools.studies.loading_parity import difference
from tools.studies.sam_programs import Predicted, by_pedbench, make_prompts

EXACT = 1e-4
"""Error that is always allowed, relative to the standard deviation of the image embedding."""

LENIENCE = 2.0
"""Allowed multiple of the error that `segment_anything` has itself on the device, in the same precision."""

PRECISIONS = {"float32": "float32", "float32 without TF32": "float32"} | {
    name: name for name in DTYPES if name != "float32"
}
"""Types of the encoder's numbers; torch by default computes convolutions on CUDA in TF32."""

MASKS = ("original", "fine-tuned")
"""Trained networks of the family `mini` whose masks are compared."""


@contextmanager
def convolutions(precision: str) -> Iterator[None]:
    """Allow TF32 in convolutions as torch does by default, or not if the precision says so."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = before and "without TF32" not in precision
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def measure(setting: Setting) -> dict[str, Any]:
    """Compare image embeddings of ViT-B with random weights, and masks of the trained mini networks."""
    return {
        "encoders": encoder_errors(setting.architecture("vit_b"), setting.device),
        "masks": mask_errors(setting.device, 1 if setting.small else 8),
    }


def encoder_errors(sizes: Architecture, device: str) -> list[dict[str, Any]]:
    """Measure errors of encoders on a device, relative to `segment_anything`'s on the CPU in float32.

    Returns:
        A row for each precision and program: the largest error and the root of the mean squared one, both over the
        standard deviation of the embedding; and for pedbench whether the error is allowed.
    """
    pixels = picture(sizes)
    expected = encode(encoder(REFERENCE, sizes), pixels)
    rows = []
    for precision, dtype in PRECISIONS.items():
        with convolutions(precision):
            theirs, ours = (
                attempt(partial(_error, f"{program} {dtype}", sizes, device, expected))
                for program in ("segment_anything", "pedbench")
            )
        ours["allowed"] = "error" not in ours and (
            ours["largest"] <= max(EXACT, LENIENCE * theirs.get("largest", 0.0))
        )
        rows += [
            {"precision": precision, "program": "segment_anything", **theirs},
            {"precision": precision, "program": "pedbench", **ours},
        ]
    return rows


def _error(name: str, sizes: Architecture, device: str, expected: Tensor) -> dict[str, float]:
    found = encode(encoder(name, sizes, device), picture(sizes)).float().cpu()
    apart = (found - expected) / expected.std()
    return {"largest": float(apart.abs().max()), "typical": float(apart.square().mean().sqrt())}


def mask_errors(device: str, pictures: int) -> list[dict[str, Any]]:
    """Compare masks of the mini networks on a device with those on the CPU in float32, on scenes.

    Returns:
        A row for each network and precision; see `tools.studies.loading_parity.Difference`.
    """
    scenes = Registry().create("datasets", "scenes", {"split": "val", "count": 8})
    shown = [scenes[index].image for index in range(pictures)]
    rows = []
    for weights in MASKS:
        expected = _masks(FamilyNetworks(family=MINI).network(weights), shown)
        for precision, dtype in PRECISIONS.items():
            networks = FamilyNetworks(family=MINI, device=device, dtype=DTYPES[dtype])
            with convolutions(precision):
                found = attempt(
                    lambda networks=networks, weights=weights, expected=expected: asdict(  # type: ignore[misc]
                        difference(_masks(networks.network(weights), shown), expected)
                    )
                )
            rows.append({"weights": weights, "precision": precision, **found})
    return rows


def _masks(network: Any, pictures: list[Picture]) -> list[Predicted]:
    program = by_pedbench(network)
    with torch.inference_mode():
        return [each for item in pictures for each in program(item, make_prompts(item))]


def show(result: Mapping[str, Any]) -> str:
    """Return a table of embeddings and one of masks."""
    verdicts = {True: "yes", False: "**no**", None: ""}
    encoders = [
        [
            row["precision"],
            code(row["program"]),
            *(["failed", ""] if "error" in row else _errors(row)),
            verdicts[row.get("allowed")],
        ]
        for row in result["encoders"]
    ]
    masks = [
        [
            code(row["weights"]),
            row["precision"],
            *(
                ["failed", "", ""]
                if "error" in row
                else [small_number(row, name) for name in ("logits", "ious", "pixels")]
            ),
        ]
        for row in result["masks"]
    ]
    return "\n\n".join(
        filter(
            None,
            [
                "Image embeddings of ViT-B with random weights: errors relative to the embedding's standard deviation. "
                f"pedbench's largest may be {LENIENCE:g} times that of `segment_anything` on the device, or {EXACT:g}.",
                table(
                    ["precision", "program", "largest error", "root mean square", "allowed"], encoders, left=2
                ),
                errors(result["encoders"], "precision"),
                "Masks of the trained mini networks: the largest difference of logits, relative to their standard "
                "deviation, and of predicted IoUs; and the share of pixels that change sides.",
                table(["weights", "precision", "logits", "predicted IoU", "pixels"], masks, left=2),
                errors(result["masks"], "precision"),
            ],
        )
    )


def _errors(row: Mapping[str, Any]) -> list[str]:
    return [small_number(row, "largest"), small_number(row, "typical")]

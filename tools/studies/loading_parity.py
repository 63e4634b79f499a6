"""Parity of one checkpoint of SAM ViT-B in three programs: `python -m tools.studies.loading_parity PHOTOGRAPHS`.

Draws random weights in the official format, loads them with segment_anything, with transformers and with pedbench, and
compares masks and predicted IoUs of the same prompts. Writes the table into docs/measured/models.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from segment_anything import sam_model_registry
from torch import Tensor

from pedbench.models.sam.architectures import VIT_B
from pedbench.models.sam.assembly import build_sam, random_tensors
from pedbench.models.sam.checkpoints import fingerprint, load_sam, write_tensors
from pedbench.models.sam.transformers_sam import read_architecture
from pedbench.pictures.files import read_picture
from pedbench.report.words.text import table
from pedbench.types import Picture
from tools.documents.measured_blocks import measured
from tools.studies.sam_programs import (
    Predicted,
    by_pedbench,
    by_segment_anything,
    by_transformers,
    load_with_transformers,
    make_prompts,
    save_for_transformers,
)

AS_CONVERTED = "transformers, 1e-6 in the decoder's layer norms"
"""Name of the weights as transformers converts official checkpoints."""

TOLERANCE = 1e-4
"""Largest allowed difference of predicted IoUs, and of mask logits relative to their standard deviation."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Largest differences between two programs.

    Attributes:
        logits: Difference of mask logits, relative to the standard deviation of all the logits of a prompt.
        ious: Difference of predicted IoUs.
        pixels: Share of the masks' pixels that are inside in one and outside in the other.
    """

    logits: float
    ious: float
    pixels: float


def difference(found: Iterable[Predicted], expected: Iterable[Predicted]) -> Difference:
    """Return the largest differences over the prompts of a picture, and the mean share of pixels."""
    pairs = list(zip(found, expected, strict=True))
    return Difference(
        logits=max(float(np.abs(a.logits - b.logits).max() / b.logits.std()) for a, b in pairs),
        ious=max(float(np.abs(a.ious - b.ious).max()) for a, b in pairs),
        pixels=float(np.mean([((a.logits > 0) != (b.logits > 0)).mean() for a, b in pairs])),
    )


def compare(folder: Path, pictures: Sequence[Picture]) -> dict[str, Difference]:
    """Return the differences of each program from segment_anything; weights are written into the folder.

    Raises:
        ValueError: pedbench reads different tensors from transformers' format and from the official one.
    """
    checkpoint, converted, exact = folder / "sam_vit_b.pth", folder / "sam-vit-base", folder / "exact"
    state = dict(random_tensors(build_sam(VIT_B, allocate=False).state_dict(), 0))
    write_tensors(state, checkpoint)
    save_for_transformers(state, VIT_B, converted)
    save_for_transformers(state, VIT_B, exact, decoder_epsilon=1e-5)
    sizes, file = read_architecture(str(converted))
    if fingerprint(load_sam(file, sizes)) != fingerprint(checkpoint):
        raise ValueError("the weights in transformers' format are not those of the official one")
    own = load_sam(checkpoint, VIT_B)
    features: dict[int, Tensor] = {}
    reference = by_segment_anything(sam_model_registry["vit_b"](checkpoint=str(checkpoint)).eval())
    programs = {
        "pedbench": by_pedbench(own),
        AS_CONVERTED: by_transformers(load_with_transformers(converted), own, features),
        "transformers, 1e-5 there": by_transformers(load_with_transformers(exact), own, features),
    }
    found: dict[str, list[Difference]] = {name: [] for name in programs}
    with torch.inference_mode():
        for picture in pictures:
            expected = reference(picture, make_prompts(picture))
            for name, program in programs.items():
                found[name].append(difference(program(picture, make_prompts(picture)), expected))
    return {name: largest(each) for name, each in found.items()}


def largest(differences: Sequence[Difference]) -> Difference:
    """Return the largest difference of each kind."""
    return Difference(
        logits=max(each.logits for each in differences),
        ious=max(each.ious for each in differences),
        pixels=max(each.pixels for each in differences),
    )


@measured("measured/models.md", "parity")
def main(photographs: Path, count: int = 10) -> str:
    """Compare the programs on some photographs of a folder of .jpg files; fail if they differ."""
    files = sorted(photographs.glob("*.jpg"))
    chosen = files[:: max(1, len(files) // count)][:count]
    pictures = [read_picture(file, upright=True) for file in chosen]
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), pictures)
    lines = [
        [name, f"{each.logits:.1e}", f"{each.ious:.1e}", f"{each.pixels:.1e}"] for name, each in found.items()
    ]
    headers = ["against `segment_anything`", "logits of masks", "predicted IoU", "pixels of masks"]
    text = (
        f"Largest differences over {len(pictures)} photographs with four prompts each; logits relative to their "
        f"standard deviation, and of each photograph the share of pixels that change sides.\n\n{table(headers, lines)}"
    )
    expected = {name: each for name, each in found.items() if name != AS_CONVERTED}
    far = [name for name, each in expected.items() if max(each.logits, each.ious) > TOLERANCE]
    if far:
        raise SystemExit(f"{text}\ndiffer by more than {TOLERANCE}: {', '.join(far)}")
    return text


if __name__ == "__main__":
    main()

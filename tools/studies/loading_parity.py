"""The same weights of SAM ViT-B through three programs: `python -m tools.studies.loading_parity PHOTOGRAPHS`.

Draws random weights in the official format, loads them with segment_anything, with transformers and with pedbench, and
compares masks and predicted IoUs of the same prompts. Prints the table and writes it into docs/measured/models.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import SamPredictor, sam_model_registry
from torch import Tensor

from pedbench.models.sam.architectures import VIT_B, Architecture
from pedbench.models.sam.assembly import build_sam, preprocess, random_tensors
from pedbench.models.sam.checkpoints import fingerprint, load_sam, write_tensors
from pedbench.models.sam.decoder import predict_masks, upscale
from pedbench.models.sam.transformers_sam import official_name, read_architecture
from pedbench.pictures.files import read_picture
from pedbench.pictures.frame import scale_boxes, scale_points, to_frame, to_uint8
from pedbench.report.words.text import table
from pedbench.types import Picture
from tools.pages.blocks import DOCS, replace_block

AS_CONVERTED = "transformers, 1e-6 in the decoder's layer norms"
"""As transformers converts official checkpoints."""

TOLERANCE = 1e-4
"""Most by which predicted IoUs may differ, and logits of masks relative to their standard deviation."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What is asked for, in pixels of the picture.

    Attributes:
        points: (K, 2) as x, y, with their labels (K,); or none.
        box: (4,) left, top, right, bottom; or none.
    """

    points: np.ndarray[Any, Any] | None = None
    labels: np.ndarray[Any, Any] | None = None
    box: np.ndarray[Any, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Logits (3, H, W) of the masks at the picture's resolution, and their predicted IoU (3,)."""

    logits: np.ndarray[Any, Any]
    ious: np.ndarray[Any, Any]


Program = Callable[[Picture, Sequence[Prompt]], list[Predicted]]


def prompts(picture: Picture) -> list[Prompt]:
    """A point, three points one of which is outside, a box, and both together."""
    scale = np.array([picture.shape[1], picture.shape[0]], np.float64)
    one, three = np.array([[0.4, 0.6]]) * scale, np.array([[0.3, 0.3], [0.6, 0.5], [0.9, 0.1]]) * scale
    box = np.concatenate([np.array([0.2, 0.25]) * scale, np.array([0.7, 0.8]) * scale])
    inside, outside = np.ones(1, np.int64), np.array([1, 1, 0])
    return [
        Prompt(points=one, labels=inside),
        Prompt(points=three, labels=outside),
        Prompt(box=box),
        Prompt(points=three, labels=outside, box=box),
    ]


def by_segment_anything(sam: Any) -> Program:
    """The masks of segment_anything's own predictor."""
    predictor = SamPredictor(sam)

    def predict(picture: Picture, asked: Sequence[Prompt]) -> list[Predicted]:
        predictor.set_image(to_uint8(picture))
        found = [
            predictor.predict(
                point_coords=each.points, point_labels=each.labels, box=each.box, return_logits=True
            )
            for each in asked
        ]
        return [Predicted(logits=logits, ious=ious) for logits, ious, _ in found]

    return predict


def by_pedbench(sam: Any) -> Program:
    """The masks of pedbench's decoding."""

    def predict(picture: Picture, asked: Sequence[Prompt]) -> list[Predicted]:
        frame, size = to_frame(picture, sam.image_encoder.img_size), picture.shape[:2]
        features = sam.image_encoder(preprocess(sam, frame))
        found = [predict_masks(sam, features, **_scaled(each, size, frame.shape[:2])) for each in asked]
        return [_full_size(sam, logits, ious, frame.shape[:2], size) for logits, ious in found]

    return predict


def by_transformers(model: Any, sam: Any, features: dict[int, Tensor] | None = None) -> Program:
    """The masks of transformers' `SamModel`, on the pixels that a SAM of the same size gets.

    Args:
        features: Image embeddings by the `id` of their picture, which another model of the same encoder shares.
    """
    known = {} if features is None else features

    def predict(picture: Picture, asked: Sequence[Prompt]) -> list[Predicted]:
        frame, size = to_frame(picture, sam.image_encoder.img_size), picture.shape[:2]
        if id(picture) not in known:
            known[id(picture)] = model.get_image_embeddings(preprocess(sam, frame))
        found = []
        for each in asked:
            # A batch of one picture with one prompt.
            given = {
                f"input_{name}": tensor[None] for name, tensor in _scaled(each, size, frame.shape[:2]).items()
            }
            out = model(image_embeddings=known[id(picture)], multimask_output=True, **given)
            found.append(_full_size(sam, out.pred_masks[0], out.iou_scores[0], frame.shape[:2], size))
        return found

    return predict


def _scaled(prompt: Prompt, size: tuple[int, ...], frame: tuple[int, ...]) -> dict[str, Any]:
    original, seen = (size[0], size[1]), (frame[0], frame[1])
    found = {}
    if prompt.points is not None and prompt.labels is not None:
        found["points"] = torch.from_numpy(scale_points(prompt.points[None], original, seen)).float()
        found["labels"] = torch.from_numpy(prompt.labels)[None]
    if prompt.box is not None:
        found["boxes"] = torch.from_numpy(scale_boxes(prompt.box[None], original, seen)).float()
    return found


def _full_size(
    sam: Any, logits: Tensor, ious: Tensor, frame: tuple[int, ...], size: tuple[int, ...]
) -> Predicted:
    large = upscale(sam, logits, (frame[0], frame[1]), (size[0], size[1]))
    return Predicted(logits=large[0].numpy(), ious=ious[0].numpy())


def save_for_transformers(
    state: Mapping[str, Tensor], sizes: Architecture, folder: Path, *, decoder_epsilon: float = 1e-6
) -> None:
    """Write weights in the official format as a folder of transformers' `SamModel`.

    Args:
        decoder_epsilon: Of the layer norms in the mask decoder's blocks. transformers has 1e-6, with which SAM was not
            trained: its own code has torch's 1e-5.
    """
    from transformers import SamConfig, SamModel

    canvas = {"image_size": sizes.image_size, "patch_size": sizes.patch_size}
    config = SamConfig(
        vision_config={
            **canvas,
            "hidden_size": sizes.embed_dim,
            "output_channels": sizes.neck_channels,
            "num_hidden_layers": sizes.depth,
            "num_attention_heads": sizes.heads,
            "global_attn_indexes": list(sizes.global_blocks),
            "window_size": sizes.window_size,
            "mlp_dim": int(sizes.embed_dim * sizes.mlp_ratio),
            "num_pos_feats": sizes.neck_channels // 2,
        },
        prompt_encoder_config={**canvas, "hidden_size": sizes.neck_channels},
        mask_decoder_config={
            "hidden_size": sizes.neck_channels,
            "iou_head_hidden_dim": sizes.neck_channels,
            "mlp_dim": sizes.decoder_mlp,
            "num_hidden_layers": sizes.decoder_depth,
            "num_attention_heads": sizes.decoder_heads,
            "layer_norm_eps": decoder_epsilon,
        },
    )
    model: Any = SamModel(config)
    model.load_state_dict({name: state[official_name(name)] for name in model.state_dict()})
    model.save_pretrained(folder)


def load_with_transformers(folder: Path) -> Any:
    """The model of a folder, in evaluation mode."""
    from transformers import SamModel

    return SamModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far apart two programs are at most.

    Attributes:
        logits: Of masks, relative to the standard deviation of all the logits of a prompt.
        ious: Of predicted IoUs.
        pixels: Share of the masks' pixels that are inside in one and outside in the other.
    """

    logits: float
    ious: float
    pixels: float


def difference(found: Iterable[Predicted], expected: Iterable[Predicted]) -> Difference:
    """The largest differences over the prompts of a picture, and the mean share of pixels."""
    pairs = list(zip(found, expected, strict=True))
    return Difference(
        logits=max(float(np.abs(a.logits - b.logits).max() / b.logits.std()) for a, b in pairs),
        ious=max(float(np.abs(a.ious - b.ious).max()) for a, b in pairs),
        pixels=float(np.mean([((a.logits > 0) != (b.logits > 0)).mean() for a, b in pairs])),
    )


def compare(folder: Path, pictures: Sequence[Picture]) -> dict[str, Difference]:
    """Differences from segment_anything of the others, by their names; weights are written into the folder.

    Raises:
        ValueError: pedbench reads other tensors from transformers' format than from the official one.
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
            expected = reference(picture, prompts(picture))
            for name, program in programs.items():
                found[name].append(difference(program(picture, prompts(picture)), expected))
    return {name: largest(each) for name, each in found.items()}


def largest(differences: Sequence[Difference]) -> Difference:
    """The largest of each kind."""
    return Difference(
        logits=max(each.logits for each in differences),
        ious=max(each.ious for each in differences),
        pixels=max(each.pixels for each in differences),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, help="a folder of .jpg files")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--document", type=Path, default=DOCS / "measured" / "models.md")
    given = parser.parse_args()
    files = sorted(given.photographs.glob("*.jpg"))
    chosen = files[:: max(1, len(files) // given.count)][: given.count]
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
    print(text)
    replace_block(given.document, "parity", text)
    held = {name: each for name, each in found.items() if name != AS_CONVERTED}
    far = [name for name, each in held.items() if max(each.logits, each.ious) > TOLERANCE]
    if far:
        raise SystemExit(f"differ by more than {TOLERANCE}: {', '.join(far)}")


if __name__ == "__main__":
    main()

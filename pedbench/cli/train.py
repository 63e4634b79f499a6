"""`pedbench train`: train the mini family's networks, a SAM in PED order, or attackers' networks for real models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

_MINI = {"name", "steps", "out", "device"}
"""Options of every training."""

_PICTURES = {
    *_MINI,
    "images",
    "batch",
    "at_once",
    "rate",
    "held_out",
    "every",
    "patience",
    "precision",
    "seed",
}
"""Options of every training on a folder of pictures."""

_OWN = {
    "ped-sam": {"teacher", "annotations", "mask_loss", "compile_encoders"},
    "completion": {"start", "masks"},
    "decoder": {"start"},
    "deblur": {"start"},
    "context": {"start", "annotations"},
}
"""Further options of each of these trainings."""

_RATES = {"ped-sam": 4e-4, "completion": 4e-4, "decoder": 1e-3, "deblur": 2e-3, "context": 1e-3}


def train_network(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Network to train: one of the mini family, e.g. sam-mini; ped-sam for a SAM in PED order; or "
            "completion, decoder, deblur or context for an attacker's network."
        ),
    ],
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Train for so many steps; the default is the recipe's, or 10,000 on pictures."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the weights to this folder; the default is the package's, or one in the cache."
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Train on this device of PyTorch; trainings on pictures accept only cpu."),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Train on the pictures of this folder.")] = None,
    batch: Annotated[
        int,
        typer.Option(min=1, help="Take so many pictures per step, on all devices."),
    ] = 8,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="Compute so many pictures together; fewer need less memory."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Reach this learning rate; the default is 4e-4, of decoder and context 1e-3, of deblur 2e-3.",
        ),
    ] = None,
    held_out: Annotated[int, typer.Option(min=1, help="Hold out so many pictures for validation.")] = 64,
    every: Annotated[
        int | None,
        typer.Option(min=1, help="Validate after so many steps; the default is 1/20 of all."),
    ] = None,
    patience: Annotated[
        int,
        typer.Option(min=1, help="Stop after so many validations without a better score."),
    ] = 5,
    precision: Annotated[
        str,
        typer.Option(help="Compute forward passes in bf16, or in float32 with no."),
    ] = "bf16",
    seed: Annotated[
        int,
        typer.Option(help="Choose held-out pictures and batches by this seed."),
    ] = 0,
    teacher: Annotated[
        str | None,
        typer.Option(help="For ped-sam: imitate this checkpoint of an original SAM, or sam-mini."),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="For ped-sam: validate by mIoU on the objects of this COCO instances file. For context: learn its "
            "categories."
        ),
    ] = None,
    mask_loss: Annotated[
        str | None,
        typer.Option(help="For ped-sam: also learn the masks of the teacher or of annotations."),
    ] = None,
    compile_encoders: Annotated[
        bool,
        typer.Option(
            "--compile", help="For ped-sam: compile the encoders, which pays off in long trainings."
        ),
    ] = False,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="For completion: start from this ViTMAE, a folder or an id of the hub. For decoder: decode the tokens "
            "of this SAM, vit_b, ped-vit_b or a checkpoint. For deblur: start from this network; the default is none. "
            "For context: read the vectors of this embedder, such as CLIP or DINOv2, a folder or an id of the hub.",
        ),
    ] = "",
    masks: Annotated[
        str,
        typer.Option(
            help="For completion: show what coalitions of servers of ped_sam receive; or random patches, with random."
        ),
    ] = "ped_sam",
) -> None:
    """Train a network by its recipe, or on a folder of pictures.

    Options from --images on are for trainings on pictures: ped-sam, completion, decoder, deblur and context. An
    interrupted training resumes. To use several devices on pictures: accelerate launch -m pedbench train ped-sam ...
    """
    _refuse_others(context, name)
    if name not in _OWN:
        from pedbench.models.manifest import ASSETS
        from pedbench.training import train

        train(name, steps=steps, out=out or ASSETS, device=device)
        return
    required = {"ped-sam": "--teacher CHECKPOINT and ", "deblur": ""}.get(name, "--from MODEL and ")
    if images is None or (required and not (teacher if name == "ped-sam" else start)):
        raise ValueError(f"pedbench train {name} needs {required}--images FOLDER.")
    if name == "context" and annotations is None:
        raise ValueError("pedbench train context needs --annotations FILE, the instances of its pictures.")
    if precision not in ("bf16", "no"):
        raise ValueError(f"--precision: expected bf16 or no, found {precision!r}.")
    if mask_loss not in (None, "teacher", "annotations"):
        raise ValueError(f"--mask-loss: expected teacher or annotations, found {mask_loss!r}.")
    if device not in (None, "cpu"):
        raise ValueError(
            f"--device: expected cpu or nothing for {name}, found {device!r}; by default it uses the devices of "
            "accelerate, which CUDA_VISIBLE_DEVICES limits."
        )
    from pedbench.training.core.loop import Schedule
    from pedbench.training.fine_tuning.attacker_course import AttackerRecipe
    from pedbench.training.fine_tuning.attackers import train_attacker
    from pedbench.training.fine_tuning.distillation import DistillationRecipe
    from pedbench.training.fine_tuning.ped_sam import fine_tune_ped_sam

    steps = steps or 10_000
    warmup = max(1, min(200, steps // 10))
    rate = _RATES[name] if rate is None else rate
    common: dict[str, Any] = {
        "schedule": Schedule(steps=steps, warmup=warmup, decay=1.0, cosine=True, rate=rate),
        "batch": batch,
        "held_out": held_out,
        "every": every or max(1, steps // 20),
        "patience": patience,
        "precision": precision,
        "seed": seed,
    }
    cpu = device == "cpu"
    if name == "ped-sam":
        masks_of = cast(Literal["teacher", "annotations"] | None, mask_loss)
        fine_tune_ped_sam(
            teacher=cast(str, teacher),
            images=images,
            annotations=annotations,
            out=out,
            recipe=DistillationRecipe(**common, masks=masks_of),
            at_once=at_once,
            cpu=cpu,
            compiled=compile_encoders,
        ).run()
        return
    recipe = AttackerRecipe(**common, masks=masks)
    train_attacker(
        name,
        start=start,
        images=images,
        annotations=annotations,
        out=out,
        recipe=recipe,
        at_once=at_once,
        cpu=cpu,
    ).run()


def _refuse_others(context: typer.Context, name: str) -> None:
    """Raise ValueError if an option was given that a training does not have."""
    known = _PICTURES | _OWN[name] if name in _OWN else _MINI
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name not in known and source and source.name == "COMMANDLINE":
            having = [each for each in _OWN if option.name in _PICTURES | _OWN[each]]
            raise ValueError(f"{option.opts[0]} is for `pedbench train {'|'.join(having)}` alone.")

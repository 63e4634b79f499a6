"""`pedbench train`: make the mini family's weights again, or fine-tune a network in PED order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

_SHARED = {"name", "steps", "out", "device"}
"""What makes sense for every training; the rest is ped-sam's alone."""


def train_network(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to train, e.g. sam-mini; ped-sam fine-tunes any SAM.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Instead of the recipe's number of steps; ped-sam: 10,000.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the weights; without it the package's own, or ped-sam's in the cache."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to train, as torch names it; ped-sam: cpu or nothing.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="ped-sam: checkpoint of an original SAM, or sam-mini.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="ped-sam: a folder of pictures to train on.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="ped-sam: COCO's instances file of them, to examine by mIoU.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="ped-sam: pictures a step, of all devices together.")] = 8,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="ped-sam: pictures a device computes on together; less memory.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="ped-sam: highest learning rate.")] = 4e-4,
    mask_loss: Annotated[
        str | None,
        typer.Option(
            help="ped-sam: masks to learn, too: of the teacher or, from --annotations, annotations."
        ),
    ] = None,
    held_out: Annotated[int, typer.Option(min=1, help="ped-sam: pictures to examine on.")] = 64,
    every: Annotated[
        int | None, typer.Option(min=1, help="ped-sam: steps between validations; a twentieth of all.")
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="ped-sam: validations in a row without a better score that end it.")
    ] = 5,
    precision: Annotated[
        str, typer.Option(help="ped-sam: of forward passes, bf16 or no (float32).")
    ] = "bf16",
    compile_encoders: Annotated[
        bool, typer.Option("--compile", help="ped-sam: compile the encoders, for long trainings.")
    ] = False,
    seed: Annotated[int, typer.Option(help="ped-sam: of the pictures held out and of the batches.")] = 0,
) -> None:
    """Train a network by its recipe, or fine-tune a SAM.

    Either goes on where a former training stopped. For ped-sam on several devices: accelerate launch -m pedbench
    train ped-sam ...
    """
    if name != "ped-sam":
        _refuse_others(context)
        from pedbench.models.manifest import ASSETS
        from pedbench.training import train

        train(name, steps=steps, out=out or ASSETS, device=device)
        return
    if teacher is None or images is None:
        raise ValueError("pedbench train ped-sam needs --teacher CHECKPOINT and --images FOLDER.")
    if precision not in ("bf16", "no"):
        raise ValueError(f"--precision: expected bf16 or no, found {precision!r}.")
    if mask_loss not in (None, "teacher", "annotations"):
        raise ValueError(f"--mask-loss: expected teacher or annotations, found {mask_loss!r}.")
    if device not in (None, "cpu"):
        raise ValueError(
            f"--device: ped-sam takes cpu, or every device that accelerate gives it, found {device!r}; "
            "choose among GPUs with CUDA_VISIBLE_DEVICES."
        )
    from pedbench.training.core.loop import Schedule
    from pedbench.training.fine_tuning.distillation import DistillationRecipe
    from pedbench.training.fine_tuning.run import FineTuning

    steps = steps or 10_000
    recipe = DistillationRecipe(
        schedule=Schedule(
            steps=steps, warmup=max(1, min(200, steps // 10)), decay=1.0, cosine=True, rate=rate
        ),
        batch=batch,
        masks=cast(Literal["teacher", "annotations"] | None, mask_loss),
        held_out=held_out,
        every=every or max(1, steps // 20),
        patience=patience,
        precision=precision,
        seed=seed,
    )
    FineTuning(
        teacher=teacher,
        images=images,
        annotations=annotations,
        out=out,
        recipe=recipe,
        at_once=at_once,
        cpu=device == "cpu",
        compiled=compile_encoders,
    ).run()


def _refuse_others(context: typer.Context) -> None:
    """Refuse options of ped-sam in another training."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name not in _SHARED and source and source.name == "COMMANDLINE":
            raise ValueError(f"{option.opts[0]} is for `pedbench train ped-sam` alone.")

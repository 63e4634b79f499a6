"""`pedbench train`: train the mini family's networks, or fine-tune a SAM in PED order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

_SHARED = {"name", "steps", "out", "device"}
"""Options of every training; all others are for ped-sam only."""


def train_network(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Network to train, e.g. sam-mini; ped-sam fine-tunes any SAM.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Number of steps; by default the recipe's, for ped-sam 10,000.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the weights; by default the package's, for ped-sam one in the cache."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="PyTorch's name of the device; ped-sam accepts only cpu.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="ped-sam: checkpoint of an original SAM, or sam-mini.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="ped-sam: a folder of pictures to train on.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="ped-sam: COCO instances file of the pictures, to validate by mIoU.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="ped-sam: pictures per step, on all devices.")] = 8,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="ped-sam: pictures per forward pass; fewer need less memory.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="ped-sam: highest learning rate.")] = 4e-4,
    mask_loss: Annotated[
        str | None,
        typer.Option(
            help="ped-sam: also learn masks, of the teacher or of --annotations: teacher or annotations."
        ),
    ] = None,
    held_out: Annotated[int, typer.Option(min=1, help="ped-sam: number of pictures for validation.")] = 64,
    every: Annotated[
        int | None,
        typer.Option(min=1, help="ped-sam: steps between validations; by default 1/20 of all."),
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="ped-sam: stop after so many validations without a better score.")
    ] = 5,
    precision: Annotated[
        str, typer.Option(help="ped-sam: precision of forward passes, bf16 or no (float32).")
    ] = "bf16",
    compile_encoders: Annotated[
        bool, typer.Option("--compile", help="ped-sam: compile the encoders; pays off in long trainings.")
    ] = False,
    seed: Annotated[int, typer.Option(help="ped-sam: seed of the validation split and of the batches.")] = 0,
) -> None:
    """Train a network by its recipe, or fine-tune a SAM.

    An interrupted training resumes. To use several devices for ped-sam: accelerate launch -m pedbench train ped-sam ...
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
            f"--device: expected cpu or nothing for ped-sam, found {device!r}; by default it uses the devices of "
            "accelerate, which CUDA_VISIBLE_DEVICES limits."
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
    """Raise ValueError if an option that is for ped-sam only was given."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name not in _SHARED and source and source.name == "COMMANDLINE":
            raise ValueError(f"{option.opts[0]} is for `pedbench train ped-sam` alone.")

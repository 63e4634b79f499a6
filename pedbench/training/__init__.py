"""Training of the mini family on the project's own scenes: `pedbench train NAME`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pedbench.home import home
from pedbench.models.architectures import architecture
from pedbench.models.checkpoints import load, save
from pedbench.models.family import ASSETS
from pedbench.models.reorder import block_order
from pedbench.models.sam import build_sam
from pedbench.prior import make_prior
from pedbench.provenance import cores
from pedbench.scenes.assets import Split
from pedbench.scenes.store import REVISION, SPLIT_SEEDS, write_split
from pedbench.training.batches import Batch, batches
from pedbench.training.loop import Trainer
from pedbench.training.manifest import record
from pedbench.training.packing import PackedScenes, pack
from pedbench.training.recipes import RECIPES, DenseHead, Recipe, training_loss
from pedbench.training.validation import one_click_scores

TRAINING_SCENES = 6000
VALIDATION_SCENES = 200
PRIOR_SCENES = 500


def train(
    name: str,
    *,
    steps: int | None = None,
    out: Path = ASSETS,
    device: str | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train a network of the mini family, going on from where a former run stopped.

    Training state is kept in `$PEDBENCH_HOME/training/<name>`; a kill at any moment loses two minutes at most.

    Args:
        name: One of `RECIPES`; or `prior`, what attackers know of pictures in general.
        steps: Instead of the recipe's number of steps. More than before prolongs the constant-rate part.
        out: Folder that gets `<name>.safetensors` and the manifest entry.
        device: Where to train; a CUDA device if there is one.
        say: Called with a line of progress now and then.

    Returns:
        One-click mIoU on the validation scenes, by size.

    Raises:
        ValueError: Unknown name.
    """
    if name == "prior":
        _write_prior(out, say)
        return {}
    if name not in RECIPES:
        raise ValueError(f"no recipe for {name!r}; known: prior, {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    if steps is not None:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=steps))
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    training, validation = packed("train", TRAINING_SCENES, say), packed("val", VALIDATION_SCENES, say)
    torch.manual_seed(recipe.seed)
    network = _started(recipe, out).to(device)
    teacher = (
        load(out / f"{recipe.teacher}.safetensors", architecture(recipe.teacher)) if recipe.teacher else None
    )
    if teacher is not None:
        teacher = teacher.to(device).requires_grad_(False)
    channels = architecture(recipe.architecture).neck_channels
    dense = DenseHead(channels, len(training.category_names)).to(device)
    trainer = Trainer(network, dense, recipe.schedule, home() / "training" / name)
    if trainer.resume():
        say(f"{name}: going on at step {trainer.step} of {recipe.schedule.steps}")
    _train(trainer, dense, teacher, recipe, training, validation, device, say)
    averaged = _averaged(trainer, recipe)
    scores = one_click_scores(averaged, validation)
    path = out / f"{name}.safetensors"
    save(averaged, path)
    record(path, recipe, training_scenes=TRAINING_SCENES, scores=scores)
    say(f"{name}: {_shown(scores)} on {VALIDATION_SCENES} validation scenes; written to {path}")
    return scores


def _write_prior(out: Path, say: Callable[[str], None]) -> None:
    scenes = packed("train", TRAINING_SCENES, say)
    pictures = (
        scenes.images[i, : scenes.sizes[i, 0], : scenes.sizes[i, 1]].astype(np.float32) / np.float32(255)
        for i in range(PRIOR_SCENES)
    )
    source = f"scenes revision {REVISION}, train, 0 to {PRIOR_SCENES - 1}"
    prior = make_prior(pictures, out / "prior", source=source)
    say(f"prior: {len(prior.pictures)} pictures, mean colour {prior.mean_colour}; written to {out / 'prior'}")


def packed(split: Split, count: int, say: Callable[[str], None]) -> PackedScenes:
    """The scenes of a split as arrays, rendered and packed when they are not there yet."""

    def progress(done: int, wanted: int) -> None:
        if done % 500 == 0:
            say(f"{done} of {wanted} {split} scenes")

    folder = home() / "scenes" / f"{REVISION}-{split}-{SPLIT_SEEDS[split]}-{count}"
    write_split(folder, seed=SPLIT_SEEDS[split], count=count, split=split, workers=cores(), progress=progress)
    return pack(folder, canvas=320, progress=progress)


def _started(recipe: Recipe, weights: Path) -> Any:
    """The network with its starting weights, ready to train."""
    target = architecture(recipe.architecture)
    network = build_sam(target)
    if recipe.start is not None:
        source = architecture(recipe.start)
        started = load(weights / f"{recipe.start}.safetensors", source)
        order = block_order(source.depth, source.global_blocks)
        started.image_encoder.blocks = torch.nn.ModuleList(started.image_encoder.blocks[i] for i in order)
        network.load_state_dict(started.state_dict())
    return network.train()


def _train(
    trainer: Trainer,
    dense: DenseHead,
    teacher: Any,
    recipe: Recipe,
    training: PackedScenes,
    validation: PackedScenes,
    device: str,
    say: Callable[[str], None],
) -> None:
    import torch._inductor.config as inductor

    # The patterns turn small attentions into a kernel whose backward pass is several times slower on CPUs.
    inductor.pattern_matcher = False
    began, first = time.monotonic(), trainer.step
    running: dict[str, float] = {}
    steps = batches(
        training,
        size=recipe.batch,
        prompts=recipe.prompts,
        seed=recipe.seed,
        first=first,
        last=recipe.schedule.steps,
    )
    modes = ("click", "click", "click", "box", "clicks")

    def report(step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            running[key] = 0.98 * running.get(key, value) + 0.02 * value
        if (step + 1) % 100 == 0:
            rate = (step + 1 - first) * recipe.batch / (time.monotonic() - began)
            trainer.log({**running, "pictures_per_second": rate})
            say(f"step {step + 1}/{recipe.schedule.steps}, {rate:.1f} pictures/s: {_shown(running)}")
        if (step + 1) % 1000 == 0:
            scores = one_click_scores(_averaged(trainer, recipe).to(device), validation)
            trainer.log({f"miou_{key}": value for key, value in scores.items()})
            say(f"step {step + 1}: validation mIoU {_shown(scores)}")

    def loss_of(step: int, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        mode = modes[step % len(modes)]
        return training_loss(trainer.network, dense, batch.to(device), mode, teacher)

    trainer.run(steps, loss_of, report)


def _averaged(trainer: Trainer, recipe: Recipe) -> Any:
    """The averaged weights, rounded to half precision but kept as float32: archives shrink them to half."""
    network = build_sam(architecture(recipe.architecture))
    network.load_state_dict({name: value.half().float() for name, value in trainer.average.items()})
    return network


def _shown(values: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3f}" for key, value in values.items())

"""Training of the mini family on the project's own scenes: `pedbench train NAME`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pedbench.adversary.prior import make_prior
from pedbench.host.home import home
from pedbench.host.provenance import cores
from pedbench.models.manifest import ASSETS
from pedbench.scenes.painting.assets import Split
from pedbench.scenes.store import REVISION, SPLIT_SEEDS, write_split
from pedbench.training.core.loop import Trainer
from pedbench.training.core.manifest import record
from pedbench.training.core.task import Course, TrainingScenes, prefetched
from pedbench.training.data.packing import PackedScenes, pack
from pedbench.training.recipes import RECIPES, make_course

TRAINING_SCENES = TrainingScenes(seed=SPLIT_SEEDS["train"], count=6000)
"""Training scenes of every network whose recipe names no others."""

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
    """Train a network of the mini family or of its attackers; continues an interrupted run.

    Training state is kept in `$PEDBENCH_HOME/training/<name>`; a kill loses at most two minutes.

    Args:
        name: One of `RECIPES`; or `prior`, the attackers' prior knowledge of pictures.
        steps: Number of steps instead of the recipe's. More than before prolongs the constant-rate part.
        out: Folder for the weights and the manifest entry.
        device: Torch's name of the device; by default CUDA if available, else the CPU.
        say: Called with lines of progress.

    Returns:
        Scores on the validation scenes.

    Raises:
        ValueError: The name is unknown.
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
    source: TrainingScenes = getattr(recipe, "scenes", TRAINING_SCENES)
    training = packed("train", source.count, say, seed=source.seed)
    validation = packed("val", VALIDATION_SCENES, say)
    torch.manual_seed(recipe.seed)
    course = make_course(name, recipe, training=training, validation=validation, weights=out, device=device)
    trainer = Trainer(course.network, course.auxiliary, course.schedule, home() / "training" / name)
    if trainer.resume():
        say(f"{name}: going on at step {trainer.step} of {course.schedule.steps}")
    _train(trainer, course, say)
    averaged = _averaged(trainer, course)
    scores = course.scores(averaged)
    path = out / course.file
    path.parent.mkdir(parents=True, exist_ok=True)
    course.save(averaged, path)
    data = {"scenes": REVISION, "split": "train", "seed": source.seed, "count": source.count}
    record(name, path, recipe, folder=out, data=data, scores=scores, seconds=trainer.seconds)
    say(f"{name}: {_shown(scores)} on validation scenes; written to {path}")
    return scores


def _write_prior(out: Path, say: Callable[[str], None]) -> None:
    scenes = packed("train", TRAINING_SCENES.count, say)
    pictures = (
        scenes.images[i, : scenes.sizes[i, 0], : scenes.sizes[i, 1]].astype(np.float32) / np.float32(255)
        for i in range(PRIOR_SCENES)
    )
    source = f"scenes revision {REVISION}, train, 0 to {PRIOR_SCENES - 1}"
    prior = make_prior(pictures, out / "prior", source=source)
    say(f"prior: {len(prior.pictures)} pictures, mean colour {prior.mean_colour}; written to {out / 'prior'}")


def packed(split: Split, count: int, say: Callable[[str], None], *, seed: int | None = None) -> PackedScenes:
    """Return the scenes of a split as arrays; renders and packs them on first use.

    Args:
        seed: Seed of the scenes; by default the published split's.
    """
    seed = SPLIT_SEEDS[split] if seed is None else seed

    def progress(done: int, total: int) -> None:
        if done % 500 == 0:
            say(f"{done} of {total} {split} scenes")

    folder = home() / "scenes" / f"{REVISION}-{split}-{seed}-{count}"
    write_split(folder, seed=seed, count=count, split=split, workers=cores(), progress=progress)
    return pack(folder, canvas=320, progress=progress)


def _train(trainer: Trainer, course: Course, say: Callable[[str], None]) -> None:
    import torch._inductor.config as inductor

    # The pattern matcher replaces small attentions by a kernel whose backward pass is several times slower on CPUs.
    inductor.pattern_matcher = False
    began, first, last = time.monotonic(), trainer.step, course.schedule.steps
    running: dict[str, float] = {}

    def report(step: int, values: dict[str, float]) -> None:
        for key, value in values.items():
            running[key] = 0.98 * running.get(key, value) + 0.02 * value
        if (step + 1) % 100 == 0:
            rate = (step + 1 - first) * course.batch / (time.monotonic() - began)
            trainer.log({**running, "examples_per_second": rate})
            say(f"step {step + 1}/{last}, {rate:.1f} examples/s: {_shown(running)}")
        if (step + 1) % 1000 == 0 and step + 1 < last:
            scores = course.scores(_averaged(trainer, course))
            trainer.log({f"validation {key}": value for key, value in scores.items()})
            say(f"step {step + 1}: validation {_shown(scores)}")

    trainer.run(prefetched(course.make_batch, first, last), course.loss, report)


def _averaged(trainer: Trainer, course: Course) -> nn.Module:
    """Return the averaged weights rounded to half precision, in float32: archives compress them to half the size."""
    network = course.fresh().eval()
    network.load_state_dict(
        {
            name: value.half().float() if value.is_floating_point() else value
            for name, value in trainer.average.items()
        }
    )
    return network.to(next(course.network.parameters()).device)


def _shown(values: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.3f}" for key, value in values.items())

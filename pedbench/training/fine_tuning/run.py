"""`pedbench train ped-sam`: fine-tune a Segment Anything network in PED order, from start to model card."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from pedbench.fetching.digests import digest
from pedbench.fetching.fetch import verified
from pedbench.host.home import home
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import SAM_MINI, VIT_B, VIT_H, VIT_L
from pedbench.models.sam.checkpoints import recognise
from pedbench.training.core.loop import Trainer
from pedbench.training.core.manifest import record
from pedbench.training.core.state import claim, compute_repeatably, stop_signals
from pedbench.training.core.task import prefetched
from pedbench.training.data.photographs import Photographs
from pedbench.training.fine_tuning.distillation import DistillationCourse, DistillationRecipe
from pedbench.training.fine_tuning.memory_estimate import memory_plan, shown
from pedbench.training.fine_tuning.model_card import Card

TEACHERS = (VIT_B, VIT_L, VIT_H, SAM_MINI)


class FineTuning:
    """One fine-tuning; continues an interrupted one with the same settings.

    Args:
        teacher: Checkpoint of an original SAM, or `sam-mini`.
        images: Folder of pictures.
        annotations: COCO's instances file of pictures in it, for validation by mIoU and for the recipe's mask loss.
        out: Folder of the weights, their model card and, in `training/`, the state; by default in pedbench's home,
            where `family` looks for them.
        recipe: The recipe.
        at_once: Pictures that a process computes together; by default its whole share.
        cpu: Whether to compute on the CPU only.
        compiled: Whether to compile the encoders.
        checkpoint_seconds: Seconds between checkpoints of up to gigabytes. A signal to stop writes one at once.
        say: Called with lines of progress.

    Raises:
        ValueError: The settings are invalid, or `out` contains another training.
        CheckpointError: The teacher is no SAM in the original block order.
        DatasetError: The pictures are unusable or too few.
    """

    def __init__(
        self,
        *,
        teacher: str,
        images: Path,
        annotations: Path | None = None,
        out: Path | None = None,
        recipe: DistillationRecipe,
        at_once: int | None = None,
        cpu: bool = False,
        compiled: bool = False,
        checkpoint_seconds: float = 600,
        say: Callable[[str], None] = print,
    ) -> None:
        if recipe.masks == "annotations" and annotations is None:
            raise ValueError("--mask-loss annotations needs --annotations FILE.")
        if not cpu:
            compute_repeatably()
        self._accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
        self._main = self._accelerator.is_main_process
        self._say = say if self._main else lambda line: None
        self._recipe, self._checkpoint_seconds = recipe, checkpoint_seconds
        file = ASSETS / "sam-mini.safetensors" if teacher == "sam-mini" else Path(teacher).expanduser()
        architecture = recognise(file, TEACHERS)
        self._photographs = Photographs(
            images, annotations, held_out=recipe.held_out, seed=recipe.seed, say=self._say
        )
        share = self._share(len(self._photographs.ids))
        self._teacher, self._teacher_file = architecture, file
        name = f"ped-{architecture.name.removeprefix('sam-')}"
        self.out = out or home() / name
        pictures = self._photographs.revision
        settings = {"teacher": digest(file), "pictures": pictures, "recipe": asdict(recipe)}
        claim(self.out, settings, writes=self._main)
        self._accelerator.wait_for_everyone()
        self._course = DistillationCourse(
            recipe,
            name=name,
            teacher=file,
            architecture=architecture,
            photographs=self._photographs,
            accelerator=self._accelerator,
            at_once=at_once or share,
            compiled=compiled,
        )
        self._trainer = Trainer(
            self._course.network,
            self._course.auxiliary,
            recipe.schedule,
            self.out / "training",
            writes=self._main,
        )
        plan = memory_plan(
            self._trainer,
            self._course.teacher,
            self._course.architecture,
            at_once=at_once or share,
            precision=recipe.precision,
            points=recipe.points if recipe.masks else 0,
            processes=self._accelerator.num_processes,
        )
        self._say(
            f"{name}: {architecture.name} in PED order, {len(self._photographs.ids):,} pictures to train on, "
            f"{recipe.held_out} held out, on {self._accelerator.num_processes} x {self._accelerator.device}"
        )
        self._say(shown(plan, self._accelerator.device))

    def _share(self, pictures: int) -> int:
        processes: int = self._accelerator.num_processes
        batch = self._recipe.batch
        if batch % processes:
            raise ValueError(f"--batch: expected a multiple of the {processes} processes, found {batch}.")
        if pictures < batch:
            raise ValueError(
                f"found {pictures} pictures to train on besides those held out, fewer than the {batch} of a step; "
                "add pictures, or lower --batch or --held-out."
            )
        return batch // processes

    def run(self) -> dict[str, float]:
        """Train to the end, or until the last `patience` validations brought no better score.

        Returns:
            The scores of the best weights.

        Raises:
            KeyboardInterrupt: A signal stopped the training; the state is saved.
        """
        trainer, last = self._trainer, self._recipe.schedule.steps
        if trainer.resume():
            self._say(f"{self._course.architecture.name}: going on at step {trainer.step} of {last}")
        if not trainer.validations:
            self._validate()
        with stop_signals() as signals:
            batches = prefetched(self._course.make_batch, trainer.step, last)
            trainer.run(
                self._until(batches, signals), self._course.loss, self._reporter(), self._checkpoint_seconds
            )
        if trainer.step < last and not self._exhausted:
            self._say(f"stopped at step {trainer.step} of {last}; the same command goes on from here")
            raise KeyboardInterrupt
        if self._main:
            self._finish()
        kept = self._best
        self._say(
            f"step {kept['step']:.0f} is kept: {_text(kept)}; written to {self.out / self._course.file}"
        )
        return kept

    def _until(self, batches: Iterator[Any], signals: list[int]) -> Iterator[Any]:
        """Yield batches until any process received a signal, or scores stopped improving."""
        for item in batches:
            if self._anywhere(bool(signals)) or self._exhausted:
                return
            yield item

    def _anywhere(self, signalled: bool) -> bool:
        if self._accelerator.num_processes == 1:
            return signalled
        flag = torch.tensor(float(signalled), device=self._accelerator.device)
        return bool(self._accelerator.reduce(flag, "sum") > 0)

    def _reporter(self) -> Callable[[int, dict[str, float]], None]:
        first, last = self._trainer.step, self._recipe.schedule.steps
        apart = max(1, min(50, last // 50))
        began, examined = time.monotonic(), 0.0
        running: dict[str, float] = {}

        def report(step: int, values: dict[str, float]) -> None:
            nonlocal examined
            done = step + 1
            for key, value in values.items():
                running[key] = 0.9 * running.get(key, value) + 0.1 * value
            if done % apart == 0:
                rate = (done - first) / (time.monotonic() - began - examined)
                self._trainer.log({**running, "pictures_per_second": rate * self._recipe.batch})
                self._say(
                    f"step {done}/{last}, {rate * self._recipe.batch:.2f} pictures/s, "
                    f"{(last - done) / rate / 60:.0f} min left: {_text(running)}"
                )
            if done % self._recipe.every == 0 or done == last:
                start = time.monotonic()
                self._validate()
                examined += time.monotonic() - start

        return report

    def _validate(self) -> None:
        """Validate the averaged weights, and save them if they are the best so far."""
        trainer = self._trainer
        scores = self._course.scores(self._course.averaged(trainer.average))
        trainer.validations.append({"step": float(trainer.step), **scores})
        trainer.log({f"validation {name}": value for name, value in scores.items()})
        self._say(f"step {trainer.step}: validation {_text(scores)}")
        if self._main and self._best is trainer.validations[-1]:
            self._course.save(self._course.averaged(trainer.average), self._best_weights)

    @property
    def _best_weights(self) -> Path:
        return self.out / "training" / "best.safetensors"

    @property
    def _best(self) -> dict[str, float]:
        name = self._course.retention.name
        return max(self._trainer.validations, key=lambda scores: scores[name])

    @property
    def _exhausted(self) -> bool:
        after = [scores for scores in self._trainer.validations if scores["step"] > self._best["step"]]
        return len(after) >= self._recipe.patience

    def _finish(self) -> None:
        """Write the best weights with their manifest entry and model card."""
        path, kept, name = self.out / self._course.file, self._best, self._course.architecture.name
        shutil.copyfile(self._best_weights, path)
        pictures, count = self._photographs.revision, len(self._photographs.ids)
        data = {"pictures": pictures, "count": count}
        record(name, path, self._recipe, folder=self.out, data=data, scores=kept)
        card = Card(
            name=name,
            teacher=self._teacher.name,
            teacher_sha256=digest(self._teacher_file),
            official=verified(self._teacher_file) or self._teacher_file.parent == ASSETS,
            file=path.name,
            sha256=digest(path),
            pictures=count,
            data=pictures,
            recipe=self._recipe,
            kept=kept,
            validations=self._trainer.validations,
        )
        (self.out / "README.md").write_text(card.text(), encoding="utf-8")


def _text(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items() if name != "step")

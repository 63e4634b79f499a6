"""A training on a folder of pictures, from start to model card."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from pedbench.fetching.digests import digest
from pedbench.models.sam.checkpoints import write_tensors
from pedbench.training.core.loop import Trainer
from pedbench.training.core.manifest import record
from pedbench.training.core.state import claim, stop_signals
from pedbench.training.core.task import prefetched
from pedbench.training.fine_tuning.course import FineTuningCourse, FineTuningRecipe
from pedbench.training.fine_tuning.memory_estimate import memory_plan, shown
from pedbench.training.fine_tuning.model_card import Card
from pedbench.training.fine_tuning.place import Place


class FineTuning:
    """One training on a folder of pictures; continues an interrupted one with the same settings.

    Args:
        make_course: Makes the course, once the folder is known to contain no other training.
        place: Devices and pictures.
        recipe: The recipe.
        out: Folder of the weights, their model card and, in `training/`, the state.
        settings: Settings besides pictures and recipe that decide the result, as JSON values.
        checkpoint_seconds: Seconds between checkpoints of up to gigabytes. A signal to stop writes one at once.

    Raises:
        ValueError: `out` contains another training.
    """

    def __init__(
        self,
        make_course: Callable[[], FineTuningCourse],
        place: Place,
        recipe: FineTuningRecipe,
        *,
        out: Path,
        settings: Mapping[str, Any],
        checkpoint_seconds: float = 600,
    ) -> None:
        self.out, self._recipe, self._checkpoint_seconds = out, recipe, checkpoint_seconds
        self._accelerator, self._photographs, self._say = place.accelerator, place.photographs, place.say
        self._main = self._accelerator.is_main_process
        pictures = self._photographs.revision
        claim(out, {**settings, "pictures": pictures, "recipe": asdict(recipe)}, writes=self._main)
        self._accelerator.wait_for_everyone()
        self._course = course = make_course()
        self._trainer = Trainer(
            course.network, course.auxiliary, recipe.schedule, out / "training", writes=self._main
        )
        processes = self._accelerator.num_processes
        plan = memory_plan(
            self._trainer,
            course.frozen,
            each=course.picture_bytes(),
            at_once=place.at_once,
            precision=recipe.precision,
            processes=processes,
        )
        self._say(
            f"{course.name}: {len(self._photographs.ids):,} pictures to train on, {recipe.held_out} held out, "
            f"on {processes} x {self._accelerator.device}"
        )
        self._say(shown(plan, self._accelerator.device))

    def run(self) -> dict[str, float]:
        """Train to the end, or until the last `patience` validations brought no better score.

        Returns:
            The scores of the best weights.

        Raises:
            KeyboardInterrupt: A signal stopped the training; the state is saved.
        """
        trainer, last = self._trainer, self._recipe.schedule.steps
        if trainer.resume():
            self._say(f"{self._course.name}: going on at step {trainer.step} of {last}")
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
            state = {name: value.cpu().contiguous() for name, value in trainer.average.items()}
            write_tensors(state, self._best_weights)

    @property
    def _best_weights(self) -> Path:
        return self.out / "training" / "best.safetensors"

    @property
    def _best(self) -> dict[str, float]:
        name = self._course.score
        return max(self._trainer.validations, key=lambda scores: scores[name])

    @property
    def _exhausted(self) -> bool:
        after = [scores for scores in self._trainer.validations if scores["step"] > self._best["step"]]
        return len(after) >= self._recipe.patience

    def _finish(self) -> None:
        """Write the best weights with their manifest entry and model card."""
        path, kept, name = self.out / self._course.file, self._best, self._course.name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._course.save(self._course.averaged(load_file(self._best_weights)), path)
        pictures, count = self._photographs.revision, len(self._photographs.ids)
        data = {"pictures": pictures, "count": count}
        record(name, path, self._recipe, folder=self.out, data=data, scores=kept)
        card = Card(
            name=name,
            description=self._course.describe(),
            file=self._course.file,
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

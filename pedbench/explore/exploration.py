"""State of one tab: a picture, a prompt, a defense, a coalition and an attack, with what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pedbench.suites.choices import Choice

if TYPE_CHECKING:
    from pedbench.explore.attackers import Guess, Switch, Words
    from pedbench.explore.trial import Masks, Prompt, Trial, Watch
    from pedbench.explore.workshop import Workshop
    from pedbench.types import Sample


class Exploration:
    """The choices and results of one tab.

    `segment` and `run` belong into the workshop's lane for passes, `guess` into that for guesses and `words` into
    that for reading.

    Attributes:
        coalition: Indices of the servers that pool what they received.
        trial: The defense's pass over the picture; None before it has run.
        guess_made: What the attack made of the coalition's view; None before it has guessed.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.defense, self.attack = Choice(name="ped_sam"), Choice(name="nearest_pixel")
        self.link = "loopback"
        self.coalition = {0}
        self.sample: Sample | None = None
        self.prompt: Prompt | None = None
        self.trial: Trial | None = None
        self.masks: Masks | None = None
        self.guess_made: Guess | None = None

    def show(self, sample: Sample) -> None:
        """Look at another picture, with a prompt in its largest object or its centre."""
        from pedbench.utility.prompts import innermost_pixel

        self.sample, self.trial, self.masks, self.guess_made = sample, None, None, None
        objects = [each for each in sample.instances if not each.crowd and each.mask.any()]
        largest = max(objects, key=lambda each: each.area, default=None)
        height, width = sample.image.shape[:2]
        self.prompt = innermost_pixel(largest.mask) if largest else (width / 2, height / 2)

    def segment(self) -> Masks:
        """Return the masks of the prompt."""
        from pedbench.explore.trial import segment

        sample, prompt = self._sample(), self.prompt
        if prompt is None:
            raise ValueError("there is no prompt: click the picture or drag a box.")
        undefended = self.workshop.explorer.undefended(sample)
        trial = self.trial
        defended = trial.done.embedding if trial is not None and trial.sample is sample else None
        self.masks = segment(sample, undefended, defended, prompt)
        return self.masks

    def run(self, watch: Watch | None = None) -> Trial:
        """Run the defense over the picture."""
        sample = self._sample()
        trial = self.workshop.explorer.run(sample, self.defense, self.link, watch)
        if sample is self.sample:
            self.trial, self.guess_made = trial, None
            servers = trial.plan.defense.servers
            self.coalition = {each for each in self.coalition if each < servers} or (
                {0} if servers else set()
            )
        return trial

    def toggle(self, server: int) -> None:
        """Let a server join the coalition or leave it; one server remains."""
        self.coalition ^= {server}
        if not self.coalition:
            self.coalition = {server}
        self.guess_made = None

    def guess(self, switch: Switch) -> Guess:
        """Let the attack guess from the coalition's view."""
        trial, coalition = self._trial(), sorted(self.coalition)
        if not coalition:
            raise ValueError(f"{trial.plan.defense.label} calls no server: there is nobody to attack it.")
        attackers, workshop = self.workshop.attackers, self.workshop
        requests = attackers.planned(self.attack).requests
        if requests > len(trial.passes):
            workshop.passes.submit(workshop.explorer.listen, trial, requests).result()
        attack = self.attack
        guess = attackers.guess(trial, attack, coalition, switch)
        workshop.seconds[attack.name] = guess.seconds
        if trial is self.trial and coalition == sorted(self.coalition):
            self.guess_made = guess
        return guess

    def words(self) -> Words:
        """Read words in what the coalition holds, and in the guess."""
        trial = self._trial()
        return self.workshop.attackers.words(trial, sorted(self.coalition), self.guess_made)

    def suite(self) -> tuple[str, str]:
        """Return the suite that measures the same over many pictures as TOML, and the command that runs it."""
        from pedbench.explore.questions import as_text, many_pictures

        workshop = self.workshop
        scenes = self._sample().id in workshop.scenes.ids()
        suite = many_pictures(
            self.defense, self.attack, len(self.coalition), workshop.model, self.link, scenes=scenes
        )
        return as_text(suite, workshop.plugins)

    def _sample(self) -> Sample:
        if self.sample is None:
            raise ValueError("there is no picture: choose or drop one.")
        return self.sample

    def _trial(self) -> Trial:
        if self.trial is None:
            raise ValueError("the defense has not run over this picture yet.")
        return self.trial

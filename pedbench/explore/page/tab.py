"""One tab: its columns, and what happens when a person chooses something."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from nicegui import events, ui

from pedbench.explore.exploration import Exploration
from pedbench.explore.page.attacker import Attacker
from pedbench.explore.page.columns import Latency, Privacy, Utility
from pedbench.explore.page.sidebar import Sidebar
from pedbench.explore.workshop import Workshop
from pedbench.suites.choices import Choice

if TYPE_CHECKING:
    from pedbench.explore.attackers import Switch
    from pedbench.explore.trial import Trial
    from pedbench.offload.passes.call import Pending
    from pedbench.types import Sample

_TICK = 0.1
"""Seconds between looks at what is under way."""

QUICK = 1.5
"""Seconds that an attack may have taken lately to guess again by itself."""


def sentence(error: BaseException) -> str:
    """Return what an error says; of one that nobody foresaw its kind, too, and the traceback in the log."""
    from pedbench.adversary.isolation.answers import AttackFailure
    from pedbench.errors import AuditError
    from pedbench.offload.servers.fleet import ServerLost

    if not isinstance(error, ValueError | OSError | AttackFailure | AuditError | ServerLost):
        logging.getLogger("pedbench.explore").warning("in the explorer", exc_info=error)
        return f"{type(error).__name__}: {error}"
    return str(error)


class Tab:
    """The page of one browser tab.

    Args:
        workshop: What all tabs share; it is loaded.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.exploration = Exploration(workshop)
        self._switch: Switch | None = None
        self._pass: Future[Trial] | None = None
        exploration = self.exploration
        self.sidebar = Sidebar(
            exploration, show=self.show, upload=self.upload, defend=self.defend, run=self.run
        )
        with ui.element("div").classes("axes"):
            self.utility = Utility(exploration, self.point)
            self.privacy = Privacy(exploration, self.toggle)
            with ui.element("div").classes("stack"):
                self.latency = Latency(workshop)
                self.attacker = Attacker(exploration, choose=self.attack, guess=self.guess, stop=self.stop)
        ui.timer(0.01, lambda: self.show(workshop.samples[0]), once=True)

    async def upload(self, event: events.UploadEventArguments) -> None:
        """Look at a picture that was dropped."""
        from pedbench.explore.pictures import read_bytes

        name, data = event.file.name, await event.file.read()
        try:
            sample = await asyncio.to_thread(read_bytes, name, data)
        except ValueError as error:
            self.sidebar.say(str(error))
            return
        self.sidebar.add(sample)
        await self.show(sample)

    async def show(self, sample: Sample) -> None:
        """Look at a picture: both models' masks, then the defense's pass."""
        self.sidebar.say("")
        self.sidebar.mark(sample)
        self.exploration.show(sample)
        self.utility.picture()
        self._clear()
        await self.segment()
        await self.run()

    async def point(self, prompt: tuple[float, ...]) -> None:
        """Take a click or a box on the picture."""
        self.exploration.prompt = prompt
        await self.segment()

    async def segment(self) -> None:
        """Show what both models make of the prompt."""
        sample = self.exploration.sample
        try:
            await asyncio.wrap_future(self.workshop.passes.submit(self.exploration.segment))
        except Exception as error:
            self.utility.say(sentence(error))
            return
        if sample is self.exploration.sample:
            self.utility.masks()

    def defend(self, choice: Choice) -> None:
        """Take another defense or other parameters."""
        self.exploration.defense = choice
        ui.timer(0, self.run, once=True)

    def attack(self, choice: Choice) -> None:
        """Take another attack or other parameters."""
        self.exploration.attack = choice
        self._unguess()
        ui.timer(0, self.guess_if_quick, once=True)

    async def run(self) -> None:
        """Run the defense over the picture, and show what becomes of it while it runs."""
        self.stop()
        # What has not begun is about choices that no longer hold.
        if self._pass is not None:
            self._pass.cancel()
        pending: list[Pending] = []
        sample = self.exploration.sample
        self._pass = mine = self.workshop.passes.submit(self.exploration.run, pending.append)
        began = time.monotonic()
        try:
            while not mine.done():
                self.latency.live(self.workshop.passes.ahead(mine), pending, time.monotonic() - began)
                await asyncio.sleep(_TICK)
            mine.result()
        except asyncio.CancelledError:
            if not mine.cancelled():
                mine.cancel()
                raise
            return
        except Exception as error:
            if mine.cancelled():
                return
            self.exploration.trial = None
            self.latency.say(sentence(error))
            self._clear()
            return
        if mine is self._pass and sample is self.exploration.sample and self.exploration.trial is not None:
            self.latency.show(self.exploration.trial)
            self._unguess()
            self.privacy.show()
            await self.segment()
            await self.guess_if_quick()

    async def toggle(self, server: int) -> None:
        """Let a server join the coalition or leave it."""
        self.exploration.toggle(server)
        self._unguess()
        self.privacy.show()
        await self.guess_if_quick()

    async def guess_if_quick(self) -> None:
        """Let the attack guess if it takes no longer than a person waits."""
        from pedbench.explore.questions import FLOORS

        name = self.exploration.attack.name
        lately = self.workshop.seconds.get(name)
        if self.exploration.trial is not None and (name in FLOORS or (lately is not None and lately < QUICK)):
            await self.guess()

    async def guess(self) -> None:
        """Let the attack guess from what the coalition holds, and read words."""
        from pedbench.explore.attackers import Cancelled, Switch

        self.stop()
        self._switch = switch = Switch()
        lane, exploration = self.workshop.guesses, self.exploration
        future = lane.submit(exploration.guess, switch)
        began, usual = time.monotonic(), self.workshop.seconds.get(exploration.attack.name)
        try:
            while not future.done():
                if switch.off and future.cancel():
                    raise Cancelled
                if switch is self._switch:
                    self.attacker.waiting(lane.ahead(future), time.monotonic() - began, usual)
                await asyncio.sleep(_TICK)
            guess = future.result()
        except Cancelled:
            if switch is self._switch:
                self.attacker.say("Cancelled.")
            return
        except Exception as error:
            if switch is self._switch:
                self.attacker.say(sentence(error))
            return
        if switch is self._switch and exploration.guess_made is guess:
            self._switch = None
            self.privacy.guessed(guess)
            self.attacker.guessed(guess)
            await self._read()

    def stop(self) -> None:
        """End the guess under way."""
        if self._switch is not None:
            self._switch.turn_off()

    def _clear(self) -> None:
        self.privacy.clear()
        self.attacker.clear()

    def _unguess(self) -> None:
        self.stop()
        self.privacy.unguessed()
        self.attacker.clear()

    async def _read(self) -> None:
        guess = self.exploration.guess_made
        try:
            words = await asyncio.wrap_future(self.workshop.reading.submit(self.exploration.words))
        except Exception as error:
            self.attacker.words(sentence(error))
            return
        if guess is self.exploration.guess_made:
            self.attacker.words(words)

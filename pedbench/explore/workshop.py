"""State that all tabs share, and the lanes in which their work takes turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from pedbench.base import Dataset
    from pedbench.explore.attackers import Attackers
    from pedbench.explore.explorer import Explorer
    from pedbench.types import Sample

P = ParamSpec("P")
R = TypeVar("R")

SCENES = 8
"""Scenes to choose from."""


_PATIENCE = 5.0
"""Seconds that the end of the process waits for what is under way."""


class Lane:
    """A queue with one worker, which holds up no end of the process."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._open: list[Future[Any]] = []
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue a call; a future that has not begun can be cancelled."""
        future: Future[R] = Future()
        self._open.append(future)
        self._calls.put((future, partial(work, *args, **kwargs)))
        return future

    def ahead(self, future: Future[R]) -> int:
        """Return how many calls come before a queued one."""
        queued = [each for each in self._open if not each.done()]
        return queued.index(future) if future in queued else 0

    def drop(self) -> None:
        """Drop what has not begun."""
        for future in list(self._open):
            future.cancel()

    def close(self) -> None:
        """End the worker; what it is at is waited for a few seconds."""
        self.drop()
        self._calls.put(None)
        self._thread.join(_PATIENCE)

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            if call is None:
                return
            future, work = call
            if future.set_running_or_notify_cancel():
                _settle(future, work)
            self._open.remove(future)


class Workshop:
    """State that all tabs share: plugins and pictures soon after the start, networks and servers once they are loaded.

    Passes take turns, guesses take turns, and so do readings of words: a slow attack holds up no pass.

    Args:
        files: Pictures to choose from besides the scenes.
        model: The model family.
        device: Where models compute.
        plugins: Files and folders with further plugins.

    Attributes:
        stage: What is being loaded; "" once everything is.
        loaded: Done when plugins and pictures are there.
        seconds: By attack, how long its last guess took.
    """

    def __init__(
        self,
        *,
        files: Sequence[Path] = (),
        model: str = "mini",
        device: str = "cpu",
        plugins: Sequence[Path] = (),
    ) -> None:
        self.passes, self.guesses, self.reading = Lane("passes"), Lane("guesses"), Lane("reading")
        self.plugins, self.model, self.device = tuple(plugins), model, device
        self._files = tuple(files)
        self.samples: list[Sample] = []
        self.seconds: dict[str, float] = {}
        self.stage = "Reading the pictures"
        self.loaded: Future[None] = Future()
        self._engines: Future[tuple[Explorer, Attackers]] = Future()

    @property
    def explorer(self) -> Explorer:
        """The bench of passes; waits until it is loaded."""
        return self._engines.result()[0]

    @property
    def attackers(self) -> Attackers:
        """Attacks, metrics and the probe for words; waits until they are loaded."""
        return self._engines.result()[1]

    def load(self) -> None:
        """Load everything in the background, before any pass."""
        self.passes.submit(_settle, self.loaded, self._read)
        self.passes.submit(_settle, self._engines, self._start)

    def _read(self) -> None:
        from pedbench.explore.pictures import read_bytes
        from pedbench.models.sam.family import family
        from pedbench.registry import Registry

        self.registry = Registry(self.plugins)
        self.family = family(self.model, {})
        self.scenes: Dataset = self.registry.create("datasets", "scenes", {"count": SCENES})
        self.samples = [read_bytes(file.name, file.read_bytes()) for file in self._files]
        self.samples += [self.scenes[index] for index in range(SCENES)]

    def _start(self) -> tuple[Explorer, Attackers]:
        # These import torch, which takes seconds: the page and its pictures are there before.
        self.loaded.result()
        self.stage = "Importing the models"
        from pedbench.explore.attackers import Attackers
        from pedbench.explore.explorer import Explorer

        self.stage = "Loading the models"
        explorer = Explorer(self.registry, self.family, self.scenes, self.device)
        attackers = Attackers(self.registry, self.device)
        self.guesses.submit(attackers.prepare)
        self.stage = ""
        return explorer, attackers

    def close(self) -> None:
        """End the servers and what is under way."""
        lanes = (self.passes, self.guesses, self.reading)
        for lane in lanes:
            lane.drop()
        if self._engines.done() and not self._engines.exception():
            self.attackers.close()
            self.explorer.close()
        for lane in lanes:
            lane.close()


def _settle(future: Future[R], work: Callable[[], R]) -> None:
    """Give a future what a call returns or raises."""
    try:
        future.set_result(work())
    # Whoever asks the future gets it.
    except Exception as error:
        future.set_exception(error)

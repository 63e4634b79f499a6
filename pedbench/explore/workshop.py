"""What all tabs share, and the lanes in which their work takes turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from pedbench.explore.attackers import Attackers
    from pedbench.explore.explorer import Explorer
    from pedbench.types import Sample

P, R = ParamSpec("P"), TypeVar("R")


class Lane:
    """A queue with one worker."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._open: list[Future[object]] = []

    def submit(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue a call; a future that has not begun can be cancelled."""
        with self._lock:
            future = self._pool.submit(work, *args, **kwargs)
            self._open.append(future)  # type: ignore[arg-type]
        future.add_done_callback(self._leave)
        return future

    def ahead(self, future: Future[R]) -> int:
        """Return how many calls come before a queued one."""
        with self._lock:
            place = next((n for n, each in enumerate(self._open) if each is future), 0)
            return sum(not each.done() for each in self._open[:place])

    def close(self) -> None:
        """Drop what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _leave(self, future: Future[R]) -> None:
        with self._lock:
            self._open = [each for each in self._open if each is not future]


class Workshop:
    """The explorer and the attackers once they are loaded, and a lane for each kind of work.

    Passes take turns, guesses take turns, and so do readings of words: a slow attack holds up no pass.

    Args:
        files: Pictures to choose from besides the scenes.
        settings: As for `Explorer`.
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
        self.plugins = tuple(plugins)
        self._files = tuple(files)
        self._settings = (model, device)
        self.samples: list[Sample] = []
        self.explorer: Explorer
        self.attackers: Attackers
        self.stage = "Importing the models"
        self.loaded: Future[None] = Future()

    def load(self) -> None:
        """Load everything in the background; `loaded` tells of the end."""
        self.passes.submit(self._load).add_done_callback(self._tell)

    def _tell(self, future: Future[None]) -> None:
        if error := future.exception():
            self.loaded.set_exception(error)
        else:
            self.loaded.set_result(None)

    def _load(self) -> None:
        # These import torch, which takes seconds: the page is there before.
        from pedbench.explore.attackers import Attackers
        from pedbench.explore.explorer import SCENES, Explorer
        from pedbench.explore.pictures import read_bytes

        model, device = self._settings
        self.stage = "Loading the models"
        self.explorer = Explorer(model=model, device=device, plugins=self.plugins)
        self.attackers = Attackers(self.explorer.registry, device)
        self.stage = "Reading the pictures"
        self.samples = [read_bytes(file.name, file.read_bytes()) for file in self._files]
        self.samples += [self.explorer.scenes[index] for index in range(SCENES)]
        self.guesses.submit(self.attackers.prepare)

    def close(self) -> None:
        """End the servers and what is under way."""
        for lane in (self.passes, self.guesses, self.reading):
            lane.close()
        if hasattr(self, "attackers"):
            self.attackers.close()
            self.explorer.close()

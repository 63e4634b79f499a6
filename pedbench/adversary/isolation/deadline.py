"""End of jobs that take too long."""

from __future__ import annotations

import threading

from typing_extensions import Self

from pedbench.adversary.isolation.parent import Job

BUSY = 0.02
"""Share of a core with which a job counts as computing, even on a machine with much other work."""


class Deadline:
    """Ends a job that takes too long while the context is entered.

    Views differ in the work that they make, and machines are shared: a job that computes has until the deadline.

    Args:
        patience: Seconds after which a job that computes nothing is ended.
        seconds: Seconds after which any job is ended.

    Attributes:
        passed: Which of the two the job was ended after; None if it was not.
    """

    def __init__(self, job: Job, patience: float, seconds: float) -> None:
        self.passed: float | None = None
        self._job = job
        self._patience, self._seconds = min(patience, seconds), seconds
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        if self._over.wait(limit := self._patience):
            return
        if self._job.processor_seconds() >= BUSY * self._patience:
            limit = self._seconds
            if self._over.wait(self._seconds - self._patience):
                return
        self.passed = limit
        self._job.end()

"""Several attack processes that share the work."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from pedbench.adversary.isolation.parent import DEADLINE, AttackFailure, AttackProcess, Guesses
from pedbench.adversary.prior import FOLDER
from pedbench.registry import PluginSpec


class AttackPool:
    """Several attack processes; a job goes to whichever is free.

    An attack that misses the deadline once is not asked again, lest a run wait for it in every cell.

    Args:
        workers: How many processes; each is started when its first job comes.
        specs, device, threads, readable, closed, prior, deadline: As for `AttackProcess`.
    """

    def __init__(
        self,
        specs: Sequence[PluginSpec],
        *,
        workers: int = 2,
        device: str = "cpu",
        threads: int = 1,
        readable: Sequence[Path] = (),
        closed: Sequence[Path] = (),
        prior: Path = FOLDER,
        deadline: float = DEADLINE,
    ) -> None:
        self._members = [
            AttackProcess(
                specs,
                device=device,
                threads=threads,
                readable=readable,
                closed=closed,
                prior=prior,
                deadline=deadline,
            )
            for _ in range(workers)
        ]
        self._overdue: dict[str, AttackFailure] = {}
        self._free: queue.SimpleQueue[AttackProcess] = queue.SimpleQueue()
        for member in self._members:
            self._free.put(member)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="attack")

    @property
    def enforced(self) -> bool:
        """Whether the kernel enforces the guard in every process that has started."""
        return all(member.enforced is not False for member in self._members)

    def prepare(self) -> list[Future[None]]:
        """Start all processes and let them load all attacks, in the background.

        What cannot be loaded is told when it is asked to guess.
        """
        return [self._threads.submit(self._prepare) for _ in self._members]

    def _prepare(self) -> None:
        # As many of these run as there are processes, so each takes another one.
        member = self._free.get()
        try:
            for spec in member.specs:
                with contextlib.suppress(AttackFailure):
                    self._ask(member, spec, [], [])
        finally:
            self._free.put(member)

    def submit(self, spec: PluginSpec, views: Sequence[bytes], seeds: Sequence[int]) -> Future[Guesses]:
        """Queue `AttackProcess.guess`; its errors come out of the future."""
        return self._threads.submit(self._run, spec, views, seeds)

    def _run(self, spec: PluginSpec, views: Sequence[bytes], seeds: Sequence[int]) -> Guesses:
        member = self._free.get()
        try:
            return self._ask(member, spec, views, seeds)
        finally:
            self._free.put(member)

    def _ask(
        self, member: AttackProcess, spec: PluginSpec, views: Sequence[bytes], seeds: Sequence[int]
    ) -> Guesses:
        attack = spec.to_json()
        if attack in self._overdue:
            raise self._overdue[attack]
        try:
            return member.guess(spec, views, seeds)
        except AttackFailure as failure:
            if failure.kind == "AttackOverdue":
                self._overdue[attack] = failure
            raise

    def close(self) -> None:
        """Drop what has not begun, end the processes; a guess under way fails."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for member in self._members:
            member.close()
        self._threads.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

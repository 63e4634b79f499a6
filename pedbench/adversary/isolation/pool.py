"""Attacks that are asked for guesses, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pedbench.adversary.isolation.answers import AttackFailure, Guesses
from pedbench.adversary.isolation.asking import ConfinedAttacks
from pedbench.registry import PluginSpec


class AttackPool(ConfinedAttacks):
    """Attacks that guess, several jobs at a time.

    An attack that misses the deadline once is not asked again, lest a run wait for it in every cell.

    Args:
        workers: How many jobs run at a time.
        settings: As for `ConfinedAttacks`.
    """

    def __init__(self, specs: Sequence[PluginSpec], *, workers: int = 1, **settings: Any) -> None:
        super().__init__(specs, **settings)
        self._overdue: dict[str, AttackFailure] = {}
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="attack")

    def prepare(self) -> list[Future[None]]:
        """Load the networks of all attacks in the background.

        What cannot be loaded is told when it is asked to guess.
        """
        return [self._threads.submit(self._try_to_prepare, spec) for spec in self.specs]

    def _try_to_prepare(self, spec: PluginSpec) -> None:
        try:
            self.load(spec)
        except AttackFailure:
            return

    def submit(self, spec: PluginSpec, views: Iterable[bytes], seeds: Sequence[int]) -> Future[Guesses]:
        """Queue `guess`; its errors come out of the future.

        Args:
            views: Looked through when the job's turn comes, in another thread: an iterator keeps waiting jobs small.
        """
        return self._threads.submit(self._once, spec, views, seeds)

    def _once(self, spec: PluginSpec, views: Iterable[bytes], seeds: Sequence[int]) -> Guesses:
        attack = spec.to_json()
        if attack in self._overdue:
            raise self._overdue[attack]
        try:
            return self.guess(spec, list(views), seeds)
        except AttackFailure as failure:
            if failure.kind == "AttackOverdue":
                self._overdue[attack] = failure
            raise

    def close(self) -> None:
        """Drop what has not begun, end the jobs; a guess under way fails."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        super().close()
        self._threads.shutdown()

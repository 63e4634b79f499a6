"""Attacks that are asked in processes of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import Self

from pedbench.adversary.isolation import answers
from pedbench.adversary.isolation.answers import AttackFailure, BrokenAnswer, Guesses
from pedbench.adversary.isolation.deadline import Deadline
from pedbench.adversary.isolation.environment import sources
from pedbench.adversary.isolation.libraries import libraries
from pedbench.adversary.isolation.parent import Job, Ward, Zygote, ZygoteLost, shared
from pedbench.adversary.prior import FOLDER
from pedbench.adversary.view_bytes import frame_size
from pedbench.registry import PluginSpec

DEADLINE = 600.0
"""Seconds that an attack may take for one job, preparation included, unless the suite says otherwise."""

PATIENCE = 30
"""Factor by which a guess may take longer than the longest so far: machines are shared."""

MOST_NETWORKS = 16
"""Networks that one attack may want kept."""

_TASKS = "pedbench.adversary.isolation.job"


class ConfinedAttacks:
    """Attacks that work in processes of their own: one a job, which ends with it.

    Args:
        specs: The attacks it may be asked for.
        device: Where attacks prepare their models.
        threads: Threads that torch may use in a guess.
        readable: Further files and folders that attacks may read, e.g. weights.
        closed: Files and folders with some of the truth; a library that holds one is not offered.
        prior: Folder of the prior; by default the one that pedbench ships.
        deadline: Seconds that one job may take. An attack that has guessed before is given up earlier if it computes
            nothing: after `PATIENCE` times as long for each view as it has taken at most, and a minute.
    """

    def __init__(
        self,
        specs: Sequence[PluginSpec],
        *,
        device: str = "cpu",
        threads: int = 1,
        readable: Sequence[Path] = (),
        closed: Sequence[Path] = (),
        prior: Path = FOLDER,
        deadline: float = DEADLINE,
    ) -> None:
        self.specs = tuple(specs)
        self.deadline = deadline
        self.force: dict[str, bool] = {}
        """Means of the kernel, and whether each confined all jobs so far."""
        self._request = {"device": device, "threads": threads}
        self._ward = Ward(
            readable=tuple(str(path.resolve()) for path in (*readable, *sources(self.specs))),
            links=tuple(
                libraries({spec.origin.distribution for spec in specs}, closed, sources(self.specs)).items()
            ),
            prior=str(prior.resolve()),
            home=os.environ.get("PEDBENCH_HOME", ""),
            shared_memory=device != "cpu",
        )
        self._found: dict[bool, Zygote] = {}
        self._with_torch: set[str] = set()
        self._running: set[Job] = set()
        self._longest: dict[str, float] = {}
        self._closed = False

    @property
    def enforced(self) -> bool:
        """Whether the kernel refuses files and system calls in every job so far."""
        return self.force.get("landlock", True) and self.force.get("seccomp", True)

    def load(self, spec: PluginSpec) -> None:
        """Load an attack with its networks, as before a guess.

        Raises:
            AttackFailure: It cannot be loaded.
        """
        self.ask(spec, f"{_TASKS}:prepare")

    def ask(self, spec: PluginSpec, task: str, **request: Any) -> dict[str, Any]:
        """Have another task done with an attack, in a job of its own.

        Args:
            task: `module:function` of a `job.Task`.
            request: What the task needs to know, as JSON values.

        Returns:
            The words of its answer, which the attack's code may have made up.

        Raises:
            AttackFailure: The task failed, or nothing that can be read came back.
        """
        with self._answer(spec, task, request, []) as (_, words):
            words.pop("modules", None)
            return words

    def guess(self, spec: PluginSpec, views: Sequence[bytes], seeds: Sequence[int]) -> Guesses:
        """Attack some views, each with its own seed.

        Never put two views of one picture in one call: the attack sees them all. From call to call it
        remembers nothing.

        Raises:
            AttackFailure: The attack raised, answered with something that is no picture of the frame, missed
                the deadline, or its process ended.
        """
        if len(views) != len(seeds):
            raise ValueError(f"attack {spec.name}: {len(views)} views with {len(seeds)} seeds")
        with self._answer(spec, f"{_TASKS}:guess", {"seeds": list(seeds)}, views) as (job, words):
            found = answers.read_guesses(
                job.connection,
                words,
                [frame_size(view) for view in views],
                reads_out=words.get("confidences") is True,
                most_seconds=job.seconds,
                attack=spec.name,
            )
            attack = spec.to_json()
            self._longest[attack] = max(job.seconds / len(views), self._longest.get(attack, 0.0))
        return found

    @contextmanager
    def _answer(
        self, spec: PluginSpec, task: str, request: dict[str, Any], views: Sequence[bytes]
    ) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Have a job done, and give the words of its answer; its arrays are read in the block.

        Raises:
            AttackFailure: Whatever went wrong in the job or with its answer.
        """
        words: dict[str, Any] = {}
        attack = spec.to_json()
        try:
            for _ in range(MOST_NETWORKS):
                zygote = self._zygote(torch=attack in self._with_torch)
                with (
                    zygote.job(self._ward) as job,
                    self._until_deadline(job, self._allowed(spec, len(views))),
                ):
                    self._note(job)
                    whole = {
                        **self._request,
                        **request,
                        "task": task,
                        "spec": attack,
                        "views": len(views),
                        "refused": sorted(zygote.refused.get(self._ward, ())),
                    }
                    job.connection.send_bytes(json.dumps(whole).encode())
                    for view in views:
                        job.connection.send_bytes(view)
                    words = answers.read_words(job.connection)
                    if failure := answers.failure_in(words, spec.name):
                        raise failure
                    network = words.get("wanted")
                    if words.get("torch") is True and not zygote.torch:
                        self._with_torch.add(attack)
                        continue
                    if network is None:
                        modules = _names(words.get("modules"))
                        yield job, words
                        break
                zygote.keep(self._ward, *_pair(network))
            else:
                raise BrokenAnswer(f"it wants more than {MOST_NETWORKS} networks kept")
            zygote.import_(modules)
        except BrokenAnswer as error:
            raise AttackFailure(spec.name, "BrokenAnswer", str(error)) from error
        except ValueError as error:
            raise AttackFailure(spec.name, "ValueError", str(error)) from error
        except TimeoutError as error:
            raise AttackFailure(spec.name, "AttackOverdue", str(error)) from error
        except (EOFError, ConnectionError) as error:
            reason = f"its process ended without an answer (exit status {job.status})"
            raise AttackFailure(spec.name, "AttackDied", reason) from error
        except ZygoteLost as error:
            raise AttackFailure(spec.name, "AttackDied", str(error)) from error

    def _zygote(self, *, torch: bool = False) -> Zygote:
        if torch not in self._found or not self._found[torch].alive:
            self._found[torch] = shared(torch=torch)
        return self._found[torch]

    def _allowed(self, spec: PluginSpec, views: int) -> float:
        longest = self._longest.get(spec.to_json())
        return self.deadline if longest is None else min(self.deadline, 60 + PATIENCE * longest * views)

    def _note(self, job: Job) -> None:
        for means, in_force in job.force.items():
            self.force[means] = self.force.get(means, True) and in_force

    @contextmanager
    def _until_deadline(self, job: Job, patience: float) -> Iterator[None]:
        """End the job if what happens inside takes too long; a `TimeoutError` then comes out."""
        self._running.add(job)
        deadline = Deadline(job, patience, self.deadline)
        try:
            with deadline:
                # Asked after it is listed: `close` marks first and ends then, so one of the two is seen.
                if self._closed:
                    raise EOFError
                yield
        except (EOFError, OSError):
            job.end()
            if deadline.passed is None:
                raise
        finally:
            self._running.discard(job)
        if deadline.passed is not None:
            raise TimeoutError(f"no answer within {deadline.passed:.3g} s")

    def close(self) -> None:
        """End the jobs; a guess under way in another thread fails."""
        self._closed = True
        for job in list(self._running):
            job.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _pair(network: object) -> tuple[str, str]:
    if not isinstance(network, list) or [type(each) for each in network] != [str, str]:
        raise BrokenAnswer(f"expected the loader and the name of a network, found {network!r:.80}")
    return network[0], network[1]


def _names(modules: object) -> list[str]:
    return [each for each in modules if isinstance(each, str)] if isinstance(modules, list) else []

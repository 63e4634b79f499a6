"""Attacks in processes of their own, which hold neither the truth nor the way to it.

What crosses over is bytes: a serialised view and a seed in, raw pixels out; nothing is pickled. The process
starts from nothing (no fork of this one), in an empty folder, with an environment that says nothing of data,
and `pedbench.adversary.isolation.guard` refuses it every file but code and weights, the network, and other programs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pedbench.adversary.isolation.environment import environment, sources
from pedbench.adversary.isolation.libraries import libraries, shared_objects
from pedbench.adversary.prior import FOLDER
from pedbench.registry import PluginSpec
from pedbench.types import Picture

DEADLINE = 600.0
"""Seconds that an attack may take for one job, preparation included, unless the suite says otherwise."""


class AttackFailure(RuntimeError):
    """An attack raised, gave no picture, took too long, or took its process with it.

    Attributes:
        attack: Its name.
        kind: The exception's class, e.g. "ValueError"; "AttackDied" when the process ended, "AttackOverdue"
            when the deadline passed.
        trace: The traceback in the attack's process; empty when that ended.
    """

    def __init__(self, attack: str, kind: str, message: str, trace: str = "") -> None:
        super().__init__(f"attack {attack}: {kind}: {message}")
        self.attack = attack
        self.kind = kind
        self.trace = trace


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """Answer of an attack: a guess per view, and confidences of a read-out.

    Attributes:
        pictures: One guess a view, (H, W, 3) float32 in [0, 1], checked.
        confidences: Of a read-out attack likewise, (H, W) float32 in [0, 1]; none of others.
        seconds: Time that the attack took for all of them, without preparation and transport.
    """

    pictures: tuple[Picture, ...]
    seconds: float
    confidences: tuple[npt.NDArray[np.float32], ...] = ()


class AttackProcess:
    """One process that prepares attacks and runs them on views; started when first needed.

    Args:
        specs: The attacks it may be asked for.
        device: Where attacks prepare their models.
        threads: Threads that torch may use in a guess.
        readable: Further files and folders that attacks may read, e.g. weights.
        closed: Files and folders with some of the truth; a library that holds one is not offered.
        prior: Folder of the prior; by default the one that pedbench ships.
        deadline: Seconds that one call of `guess` may take.
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
        self._settings: dict[str, Any] = {
            "specs": [spec.to_json() for spec in self.specs],
            "device": device,
            "threads": threads,
            "readable": [str(path.resolve()) for path in (prior, *readable, *sources(self.specs))],
            "prior": str(prior.resolve()),
        }
        self._closed_to_libraries = tuple(closed)
        self._lock = threading.Lock()
        self._closed = False
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self.enforced: bool | None = None
        """Whether the kernel enforces the guard; None until the process has started."""

    def guess(self, spec: PluginSpec, views: Sequence[bytes], seeds: Sequence[int]) -> Guesses:
        """Attack some views, each with its own seed; without any, the attack is but loaded.

        Never put two views of one picture in one call: the attack sees them all. From call to call it
        remembers nothing.

        Raises:
            AttackFailure: The attack raised, answered with something that is no picture of the frame, missed
                the deadline, or its process ended; the next call then starts a new process.
        """
        index = self.specs.index(spec)
        if len(views) != len(seeds):
            raise ValueError(f"attack {spec.name}: {len(views)} views with {len(seeds)} seeds")
        with self._lock:
            try:
                connection = self._connection or self._start()
                # Asked after the start: `close` marks first and kills then, so one of the two is seen.
                if self._closed:
                    raise EOFError
                with self._until_deadline():
                    connection.send_bytes(json.dumps({"attack": index, "seeds": list(seeds)}).encode())
                    for view in views:
                        connection.send_bytes(view)
                    answer = json.loads(connection.recv_bytes())
                    arrays = [connection.recv_bytes() for _ in answer.get("shapes", ())]
            except TimeoutError as error:
                self._stop()
                raise AttackFailure(spec.name, "AttackOverdue", str(error)) from error
            except (EOFError, ConnectionError) as error:
                status = self._stop()
                reason = f"its process ended without an answer (exit status {status})"
                raise AttackFailure(spec.name, "AttackDied", reason) from error
            # Interrupted half-way, the next answer to arrive would belong to this call.
            except BaseException:
                self._kill()
                self._stop()
                raise
        if "failure" in answer:
            raise AttackFailure(spec.name, answer["failure"], answer["message"], answer["trace"])
        found = tuple(
            np.frombuffer(data, np.float32).reshape(shape)
            for data, shape in zip(arrays, answer["shapes"], strict=True)
        )
        pictures, confidences = found[: len(views)], found[len(views) :]
        return Guesses(pictures=pictures, confidences=confidences, seconds=answer["seconds"])

    def close(self) -> None:
        """End the process for good; a guess that another thread waits for fails."""
        self._closed = True
        self._kill()
        with self._lock:
            self._stop()

    @contextlib.contextmanager
    def _until_deadline(self) -> Iterator[None]:
        """End the process if what happens inside takes too long; a `TimeoutError` then comes out."""
        passed = threading.Event()

        def end() -> None:
            passed.set()
            self._kill()

        timer = threading.Timer(self.deadline, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, ConnectionError):
            if not passed.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()
        if passed.is_set():
            raise TimeoutError(f"no answer within {self.deadline:g} s")

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> Connection[Any, Any]:
        self._scratch = tempfile.TemporaryDirectory(prefix="attack-")
        scratch, links = Path(self._scratch.name, "scratch"), Path(self._scratch.name, "libraries")
        scratch.mkdir()
        links.mkdir()
        found = libraries({spec.origin.distribution for spec in self.specs}, self._closed_to_libraries)
        for name, path in found.items():
            (links / name).symlink_to(path.resolve())
        more = [str(path.resolve()) for path in (links, *found.values(), *shared_objects())]
        settings = self._settings | {"readable": [*self._settings["readable"], *more]}
        ours, theirs = Pipe(duplex=True)
        self._connection = ours
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pedbench.adversary.isolation.child", str(theirs.fileno())],
                cwd=scratch,
                env=environment(str(scratch), str(links)),
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        finally:
            theirs.close()
        ours.send_bytes(json.dumps(settings).encode())
        self.enforced = json.loads(ours.recv_bytes())["enforced"]
        return ours

    def _stop(self) -> int | None:
        """Clear away after a process that has ended or is to end, and return its exit status."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        status = None
        if self._process is not None:
            try:
                status = self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._kill()
                status = self._process.wait()
            self._process = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
        return status

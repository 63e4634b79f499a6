"""Attacks in processes of their own, which hold neither the truth nor the way to it.

What crosses over is bytes: serialised views and seeds in, raw pixels out; nothing is pickled. A process that runs no
code of plugins, the zygote, starts from nothing (no fork of this one), in an empty folder, with an environment that
says nothing of data. Each job of an attack is a fork of it that ends with the job; `guard` refuses it every file but
code and weights, the network, and other programs.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pedbench.adversary.isolation import messages
from pedbench.adversary.isolation.environment import environment
from pedbench.adversary.isolation.libraries import libraries, shared_objects
from pedbench.host.scratch import ScratchFolder


class ZygoteLost(RuntimeError):
    """The process from which jobs are forked has ended."""


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The reach of jobs of one kind.

    Attributes:
        readable: Files and folders besides code and shipped weights.
        links: Libraries outside of the Python installation, by file name: see `libraries`.
        prior: Folder of the prior.
        home: Where pedbench keeps files, if the environment says it.
        shared_memory: Whether they may share memory with a driver.
    """

    readable: tuple[str, ...]
    links: tuple[tuple[str, Path], ...]
    prior: str
    home: str = ""
    shared_memory: bool = False


class Zygote:
    """A process from which jobs are forked; it lives as long as this process or until it is closed.

    Args:
        torch: Whether it imports torch where jobs do, and keeps networks. A fork of one that does not takes a fifth of
            the time, as the kernel copies the tables of all memory that is not a file's.
    """

    def __init__(self, *, torch: bool) -> None:
        self.torch = torch
        self._lock = threading.Lock()
        self._folder = ScratchFolder("attacks")
        scratch = Path(self._folder.name, "scratch")
        scratch.mkdir()
        links = libraries((), ())
        linked = self._linked("own", links.items())
        self._numbers = itertools.count()
        self._wards: dict[Ward, str] = {}
        self._imported: set[str] = set()
        self.refused: dict[Ward, set[tuple[str, str]]] = {}
        """Loaders and models that could not be kept."""
        self._link, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pedbench.adversary.isolation.zygote", str(theirs.fileno())],
                cwd=scratch,
                env=environment(str(scratch), str(linked)),
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    @contextlib.contextmanager
    def job(self, ward: Ward) -> Iterator[Job]:
        """Fork a job, which ends with the block.

        Raises:
            ZygoteLost: There is nothing to fork from.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs, self._lock:
            if ward not in self._wards:
                self._open(ward)
            number = next(self._numbers)
            task = {"ward": self._wards[ward], "number": number, "torch": self.torch}
            pid = self._ask(do="start", handle=theirs.fileno(), **task)["pid"]
            connection = Connection(ours.detach())
        try:
            job = Job(self, pid, connection)
        except EOFError:
            connection.close()
            raise ZygoteLost(f"a job could not be confined (exit status {self.finish(pid)})") from None
        try:
            yield job
        except BaseException:
            job.end()
            raise
        job.end(answered=True)

    def _open(self, ward: Ward) -> None:
        name = str(len(self._wards))
        linked = self._linked(name, ward.links)
        outside = [linked, *(path for _, path in ward.links), *shared_objects()]
        self._ask(
            do="open",
            ward=name,
            readable=[*ward.readable, *(str(path.resolve()) for path in outside)],
            libraries=str(linked.resolve()),
            prior=ward.prior,
            home=ward.home,
            shared_memory=ward.shared_memory,
        )
        self._wards[ward] = name

    def _linked(self, name: str, links: Iterable[tuple[str, Path]]) -> Path:
        folder = Path(self._folder.name, "libraries", name)
        folder.mkdir(parents=True)
        for library, path in links:
            (folder / library).symlink_to(path.resolve())
        return folder

    def keep(self, ward: Ward, loader: str, model: str) -> None:
        """Load a network that jobs then share; one that cannot be loaded is remembered in `refused`."""
        with self._lock:
            answer = self._ask(do="keep", ward=self._wards[ward], loader=loader, model=model)
            if answer["error"]:
                self.refused.setdefault(ward, set()).add((loader, model))

    def import_(self, modules: Sequence[str]) -> None:
        """Import what jobs have imported, of pedbench and of its dependencies, lest each does it anew."""
        with self._lock:
            if new := [module for module in modules if module not in self._imported]:
                self._ask(do="import", modules=new)
                self._imported.update(new)

    def finish(self, pid: int, *, answered: bool = False) -> int | None:
        """End a job, and return its exit status; None for one that has answered, whose end need not be awaited."""
        with self._lock, contextlib.suppress(ZygoteLost):
            status: int | None = self._ask(do="finish", pid=pid, answered=answered)["status"]
            return status
        return None

    def _ask(self, *, handle: int | None = None, **message: Any) -> dict[str, Any]:
        try:
            messages.send(self._link, message, handle)
            return messages.receive(self._link)[0]
        except (EOFError, OSError) as error:
            raise ZygoteLost("the process from which attacks are forked has ended") from error

    def close(self) -> None:
        """End the process and all jobs."""
        self._link.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()


class Job:
    """One fork of the zygote.

    Attributes:
        connection: To it.
        force: By name, which means of the kernel confine it; known before any code of an attack runs.
    """

    def __init__(self, zygote: Zygote, pid: int, connection: Connection[Any, Any]) -> None:
        self._zygote = zygote
        self.pid = pid
        self.connection = connection
        self.status: int | None = None
        self._ended = False
        self.force: dict[str, bool] = json.loads(connection.recv_bytes())
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since it was confined."""
        return time.perf_counter() - self._began

    def processor_seconds(self) -> float:
        """Return how long it has computed, all threads together; 0 once it has ended."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        user, system = fields[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def end(self, *, answered: bool = False) -> None:
        """End it if it has not ended, and keep its exit status unless it has answered."""
        if not self._ended:
            self._ended = True
            self.status = self._zygote.finish(self.pid, answered=answered)
            self.connection.close()


_shared: dict[tuple[Any, ...], Zygote] = {}
_opening = threading.Lock()


def shared(*, torch: bool) -> Zygote:
    """Return the zygote of this process with or without torch; another one where the environment has changed."""
    key = os.getpid(), torch, tuple(sorted(environment("", "").items()))
    with _opening:
        if key in _shared and not _shared[key].alive:
            _shared.pop(key).close()
        if key not in _shared:
            _shared[key] = Zygote(torch=torch)
        return _shared[key]


@atexit.register
def close_all() -> None:
    """End all zygotes of this process."""
    for (owner, *_), zygote in list(_shared.items()):
        if owner == os.getpid():
            zygote.close()
    _shared.clear()

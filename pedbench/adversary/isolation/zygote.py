"""The process from which each job of an attack is forked; it runs no code of a plugin.

Started by `pedbench.adversary.isolation.parent` as `python -m pedbench.adversary.isolation.zygote FD`. It holds
libraries and networks, so that a fork need not load them, and no view, truth or path to one. Whatever an attack does in
its fork ends with that: nothing is left for the next job, be it the same attack's or another's.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import random
import select
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from pedbench.adversary.isolation import guard, job, messages, namespaces
from pedbench.adversary.isolation.environment import left_out
from pedbench.adversary.isolation.libraries import importable
from pedbench.adversary.prior import load_prior
from pedbench.base import Attack
from pedbench.models import kept
from pedbench.registry.constants import check_constants, check_properties
from pedbench.types import Picture, View


@dataclass(frozen=True, kw_only=True)
class _Running:
    number: int
    handle: int
    scratch: Path


class _Zygote:
    """Answers the messages of the run until that ends.

    Args:
        link: The run's messages.
        scratch: Folder in which each job gets an empty one.
        apart: Whether this process has namespaces of its own.
    """

    def __init__(self, link: socket.socket, scratch: Path, apart: bool) -> None:
        self.link = link
        self.scratch = scratch
        self.apart = apart
        self.wards: dict[str, tuple[guard.Places, dict[str, Any]]] = {}
        self.running: dict[int, _Running] = {}
        self.statuses: dict[int, int] = {}
        self.answered: set[int] = set()

    def serve(self) -> None:
        """Answer until the other end is closed; jobs under way then end."""
        while True:
            waiting = select.poll()
            waiting.register(self.link, select.POLLIN)
            for running in self.running.values():
                waiting.register(running.handle, select.POLLIN)
            ready = {handle for handle, _ in waiting.poll()}
            for pid in [pid for pid, running in self.running.items() if running.handle in ready]:
                self._bury(pid)
            if self.link.fileno() in ready:
                try:
                    message, handle = messages.receive(self.link)
                except (EOFError, ConnectionError):
                    break
                messages.send(self.link, getattr(self, f"_{message.pop('do')}")(handle=handle, **message))
        for pid in list(self.running):
            self._end(pid)

    def _open(
        self, *, ward: str, readable: list[str], prior: str, handle: int | None, **settings: Any
    ) -> dict[str, Any]:
        """Remember what jobs of a kind may read."""
        places = guard.places([Path(path) for path in (prior, *readable)])
        self.wards[ward] = places, {"prior": load_prior(Path(prior)), **settings}
        return {}

    def _start(self, *, ward: str, number: int, torch: bool, handle: int) -> dict[str, Any]:
        """Fork a job, which gets its task by the handle."""
        scratch = self.scratch / str(number)
        scratch.mkdir()
        places, settings = self.wards[ward]
        me = os.getpid()
        # What is here now is never collected, so a fork's collector does not copy the memory that it looks at.
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            try:
                job.run(
                    Connection(handle), places, scratch, parent=me, apart=self.apart, torch=torch, **settings
                )
            finally:
                os._exit(1)
        os.close(handle)
        self.running[pid] = _Running(number=number, handle=os.pidfd_open(pid), scratch=scratch)
        return {"pid": pid}

    def _keep(self, *, ward: str, loader: str, model: str, **_: Any) -> dict[str, Any]:
        path = Path(model)
        if path.is_absolute() and not any(map(path.resolve().is_relative_to, self.wards[ward][0].readable)):
            return {"error": f"an attack may not open {model}"}
        try:
            kept.keep(loader, model)
        # The fork that asked for it then loads it itself, and its attack fails by what this raised.
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {"error": ""}

    def _import(self, *, modules: list[str], **_: Any) -> dict[str, Any]:
        for module in modules:
            trusted = module.partition(".")[0] in importable() and not module.startswith(
                guard.FORBIDDEN_MODULES
            )
            if trusted and not module.startswith("pedbench.plugins"):
                with contextlib.suppress(Exception):
                    importlib.import_module(module)
        return {}

    def _finish(self, *, pid: int, answered: bool, **_: Any) -> dict[str, Any]:
        """End a job if it has not ended, and tell its exit status unless it has answered and nobody asks."""
        if pid in self.running and answered:
            self.answered.add(pid)
            self._kill(pid)
        elif pid in self.running:
            self._end(pid)
        return {"status": self.statuses.pop(pid, None)}

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.running[pid].handle, signal.SIGKILL)

    def _end(self, pid: int) -> None:
        self._kill(pid)
        self._bury(pid)

    def _bury(self, pid: int) -> None:
        """Wait for a job and clear away what it left: processes and files."""
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if pid in self.answered:
            self.answered.remove(pid)
        else:
            self.statuses[pid] = status
        running = self.running.pop(pid)
        os.close(running.handle)
        while left := namespaces.strays(set(self.running)):
            for stray in left:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(stray, signal.SIGKILL)
                    os.waitpid(stray, 0)
        shutil.rmtree(running.scratch, ignore_errors=True)


@dataclass(kw_only=True)
class _Example(Attack):
    name = "example"
    version = 1
    needs = frozenset({"nothing"})

    def reconstruct(self, view: View, rng: np.random.Generator) -> Picture:
        return np.zeros((*view.frame_size, 3), np.float32)


def _warm_up() -> None:
    """Do once what forks then need not do: build what checks declarations, and find the folder of attacks.

    A fork may not look for that folder: it may not list what lies beside it.
    """
    importlib.import_module("pedbench.plugins.attacks")
    example = _Example()
    check_constants(example)
    check_properties(example)


def main() -> None:
    """Leave the run's namespaces, then serve."""
    apart = "namespaces" not in left_out() and namespaces.leave()
    namespaces.adopt()
    namespaces.drop()
    # What one job writes to the terminal or into a log, the next one must not read.
    with contextlib.suppress(OSError):
        written = os.open("/proc/self/fd/2", os.O_WRONLY | os.O_APPEND)
        for handle in (1, 2):
            os.dup2(written, handle)
        os.close(written)
    with socket.socket(fileno=int(sys.argv[1])) as link:
        random.seed(0)
        _warm_up()
        _Zygote(link, Path.cwd(), apart).serve()
    # Some libraries print at an orderly end what they did not free.
    os._exit(0)


if __name__ == "__main__":
    main()

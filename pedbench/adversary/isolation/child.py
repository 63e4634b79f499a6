"""The process that attacks run in: it gets views and seeds as bytes and answers with guesses.

Started by `pedbench.adversary.isolation.parent` as `python -m pedbench.adversary.isolation.child FD`.
Attacks are prepared here once; each job then runs in a fork of this process that ends with it, so nothing
that an attack saw in one job can be remembered in the next. An accelerator's context survives no fork: for
one, attacks are prepared on the CPU here, and moved in the fork.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.adversary.isolation import guard
from pedbench.adversary.prior import load_prior
from pedbench.adversary.view_bytes import view_from_bytes
from pedbench.base import Attack, ReadOutAttack
from pedbench.errors import plugin_line
from pedbench.registry import PluginSpec, load
from pedbench.types import Picture, Prior, View

ANSWERED = 17
"""Exit status of a fork that sent its answer; an attack that exits by itself has another."""


def check_guess(guess: object, frame_size: tuple[int, int], attack: str) -> Picture:
    """Refuse a guess that is no picture of the frame.

    Raises:
        ValueError: With the attack's name and what was found.
    """
    expected = f"{attack}: expected a float32 picture of shape {(*frame_size, 3)} in [0, 1], found"
    if not isinstance(guess, np.ndarray):
        raise ValueError(f"{expected} {type(guess).__name__}")
    if guess.shape != (*frame_size, 3) or guess.dtype != np.float32:
        raise ValueError(f"{expected} {guess.dtype} of shape {guess.shape}")
    if not np.isfinite(guess).all():
        raise ValueError(f"{expected} {np.count_nonzero(~np.isfinite(guess))} values that are not finite")
    if guess.min() < 0 or guess.max() > 1:
        raise ValueError(f"{expected} values from {guess.min()} to {guess.max()}")
    return guess


class _Worker:
    """Keeps prepared attacks and runs one job after the other."""

    def __init__(
        self, connection: Connection, specs: Sequence[PluginSpec], device: str, threads: int, prior: Prior
    ):
        self.connection = connection
        self.specs = specs
        self.device = device
        self.threads = threads
        self.prior = prior
        self.attacks: dict[int, Attack] = {}

    def serve(self, scratch: Path) -> None:
        """Answer jobs until the other end closes."""
        while True:
            try:
                job = json.loads(self.connection.recv_bytes())
            except EOFError:
                return
            try:
                self._attack(job["attack"])
                broken = None
            except Exception as error:
                broken = _failure(error)
            if not job["seeds"]:
                self.connection.send_bytes(json.dumps(broken or {"shapes": (), "seconds": 0.0}).encode())
                continue
            child = os.fork()
            if child == 0:
                try:
                    self._answer(job, broken)
                    os._exit(ANSWERED)
                finally:
                    os._exit(1)
            self._await(child)
            for left in scratch.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _attack(self, index: int) -> Attack:
        if index not in self.attacks:
            attack: Attack = load(self.specs[index])
            attack.prepare("cpu")
            self.attacks[index] = attack
        return self.attacks[index]

    def _await(self, child: int) -> None:
        """Wait for the fork; end with it when it was killed or when the harness is gone."""
        handle = os.pidfd_open(child)
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        waiting.register(self.connection.fileno(), 0)
        while handle not in dict(ready := waiting.poll()):
            if any(event & select.POLLHUP for _, event in ready):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != ANSWERED:
            sys.exit(128 - status if status < 0 else status or 1)

    def _answer(self, job: dict[str, Any], broken: dict[str, str] | None) -> None:
        """Run a job and send its guesses or its failure; in the fork."""
        encoded = [self.connection.recv_bytes() for _ in job["seeds"]]
        arrays: list[npt.NDArray[np.float32]] = []
        header: dict[str, Any]
        try:
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(self.threads)
            if broken is None:
                attack = self._attack(job["attack"])
                if self.device != "cpu":
                    attack.prepare(self.device)
                views = [view_from_bytes(data, self.prior) for data in encoded]
                started = time.perf_counter()
                arrays = _guess(attack, views, job["seeds"])
                header = {
                    "shapes": [array.shape for array in arrays],
                    "seconds": time.perf_counter() - started,
                }
            else:
                header = broken
        except Exception as error:
            header = _failure(error)
        self.connection.send_bytes(json.dumps(header).encode())
        if "shapes" in header:
            for array in arrays:
                self.connection.send_bytes(np.ascontiguousarray(array).tobytes())


def _guess(attack: Attack, views: Sequence[View], seeds: Sequence[int]) -> list[npt.NDArray[np.float32]]:
    """Return a picture per view, and behind them the confidences of a read-out."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    confidences: list[npt.NDArray[np.float32]] = []
    if isinstance(attack, ReadOutAttack):
        readings = attack.read_out_many(views, generators)
        found = [read.filled(view.prior.mean_colour) for read, view in zip(readings, views, strict=False)]
        confidences = [
            check_confidence(read.confidence, view.frame_size, attack.name)
            for read, view in zip(readings, views, strict=False)
        ]
    else:
        found = attack.reconstruct_many(views, generators)
    if len(found) != len(views):
        raise ValueError(f"{attack.name}: expected {len(views)} guesses, found {len(found)}")
    guesses = [
        check_guess(guess, view.frame_size, attack.name) for guess, view in zip(found, views, strict=True)
    ]
    return [*guesses, *confidences]


def check_confidence(confidence: object, frame_size: tuple[int, int], attack: str) -> npt.NDArray[np.float32]:
    """Refuse a confidence that is no number in [0, 1] per pixel.

    Raises:
        ValueError: With the attack's name and what was found.
    """
    expected = f"{attack}: expected a float32 confidence of shape {frame_size} in [0, 1], found"
    if not isinstance(confidence, np.ndarray):
        raise ValueError(f"{expected} {type(confidence).__name__}")
    if confidence.shape != frame_size or confidence.dtype != np.float32:
        raise ValueError(f"{expected} {confidence.dtype} of shape {confidence.shape}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"{expected} values outside of it")
    return confidence


def _failure(error: Exception) -> dict[str, str]:
    message = f"{error}{plugin_line(error)}"
    return {"failure": type(error).__name__, "message": message, "trace": traceback.format_exc()}


def main() -> None:
    """Read the settings, close the doors, then serve."""
    connection = Connection(int(sys.argv[1]))
    settings = json.loads(connection.recv_bytes())
    scratch = Path.cwd()
    specs = [PluginSpec.from_json(text) for text in settings["specs"]]
    prior = load_prior(Path(settings["prior"]))
    random.seed(0)
    enforced = guard.install([Path(path) for path in settings["readable"]], scratch)
    connection.send_bytes(json.dumps({"enforced": enforced}).encode())
    _Worker(connection, specs, settings["device"], settings["threads"], prior).serve(scratch)


if __name__ == "__main__":
    main()

"""One job of an attack, in a fork of its own that ends with it."""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.adversary.isolation import guard, namespaces
from pedbench.adversary.isolation.answers import check_confidence, check_guess
from pedbench.adversary.view_bytes import view_from_bytes
from pedbench.base import Attack, ReadOutAttack
from pedbench.errors import plugin_line
from pedbench.models import kept
from pedbench.registry import PluginSpec, load
from pedbench.types import Prior, View

Arrays = list[npt.NDArray[np.float32]]
Task = Callable[[dict[str, Any], Sequence[bytes], Prior], tuple[dict[str, Any], Arrays]]
"""The work of a job: from the request and its views to an answer and arrays."""


class _TorchWanted(BaseException):
    """An attack imports torch in a fork of a process without it.

    Not an `Exception`, so that no attack handles it by mistake.
    """


class _WithoutTorch:
    """A finder of modules that ends a job as soon as it imports torch, as a process that has it takes less time."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "torch":
            raise _TorchWanted


EXIT_STATUS = 17
"""Exit status of a job that sent its answer; an attack that exits by itself has another."""


def run(
    connection: Connection[Any, Any],
    allowed: guard.Places,
    scratch: Path,
    *,
    parent: int,
    apart: bool,
    torch: bool,
    prior: Prior,
    libraries: str,
    home: str,
    shared_memory: bool,
) -> None:
    """Close the doors, do what is asked, answer and exit; in the fork.

    Args:
        connection: The only way to the run.
        allowed: What may be read.
        scratch: The empty folder that may be written.
        parent: Process id of the process that forked this one.
        apart: Whether that has namespaces of its own.
        torch: Whether that may hold torch; if not, the job ends where it imports torch.
        prior: What it may know of pictures in general.
        libraries: Folder of links to the libraries outside of the Python installation.
        home: Where pedbench keeps files, if the environment says it.
        shared_memory: As for `guard.install`.
    """
    os.closerange(3, connection.fileno())
    os.closerange(connection.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    os.chdir(scratch)
    os.environ["TMPDIR"] = os.environ["MPLCONFIGDIR"] = tempfile.tempdir = str(scratch)
    if home:
        os.environ["PEDBENCH_HOME"] = home
    # The process that this one was forked from may import more.
    sys.path[sys.path.index(os.environ["PYTHONPATH"].rpartition(os.pathsep)[2])] = libraries
    namespaces.detach(parent)
    known = len(sys.modules)
    force = guard.install(allowed, scratch, shared_memory=shared_memory) | {"namespaces": apart}
    connection.send_bytes(json.dumps(force).encode())
    request = json.loads(connection.recv_bytes())
    views = [connection.recv_bytes() for _ in range(request["views"])]
    arrays: Arrays = []
    answer: dict[str, Any]
    if not torch:
        sys.meta_path.insert(0, _WithoutTorch())
    try:
        kept.share({(loader, model) for loader, model in request["refused"]})
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(request["threads"])
        module, _, name = request["task"].partition(":")
        task: Task = getattr(importlib.import_module(module), name)
        answer, arrays = task(request, views, prior)
    except kept.NetworkWanted as wanted:
        answer = {"wanted": [wanted.loader, wanted.model]}
    except _TorchWanted:
        answer = {"torch": True}
    except Exception as error:
        answer = _failure(error)
    # The last ones: a look at all of them would copy the pages that hold their names.
    answer["modules"] = sorted(islice(reversed(sys.modules), len(sys.modules) - known))
    connection.send_bytes(json.dumps(answer).encode())
    for array in arrays:
        connection.send_bytes(np.ascontiguousarray(array).tobytes())
    connection.close()
    os._exit(EXIT_STATUS)


def prepare(request: dict[str, Any], _views: Sequence[bytes], _prior: Prior) -> tuple[dict[str, Any], Arrays]:
    """Load an attack and its networks: a trial, so that what it lacks is told before a run needs it."""
    _prepared(request)
    return {}, []


def guess(request: dict[str, Any], encoded: Sequence[bytes], prior: Prior) -> tuple[dict[str, Any], Arrays]:
    """Return a picture per view, and behind them the confidences of a read-out."""
    attack = _prepared(request)
    views = [view_from_bytes(data, prior) for data in encoded]
    generators = [np.random.default_rng(seed) for seed in request["seeds"]]
    began = time.perf_counter()
    arrays = _guesses(attack, views, generators)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "confidences": isinstance(attack, ReadOutAttack)}, arrays


def _prepared(request: dict[str, Any]) -> Attack:
    attack: Attack = load(PluginSpec.from_json(request["spec"]))
    attack.prepare("cpu")
    if request["device"] != "cpu":
        attack.prepare(request["device"])
    return attack


def _guesses(attack: Attack, views: Sequence[View], generators: Sequence[np.random.Generator]) -> Arrays:
    if isinstance(attack, ReadOutAttack):
        readings = attack.read_out_many(views, generators)
        found = [read.filled(view.prior.mean_colour) for read, view in zip(readings, views, strict=False)]
        confidences = [read.confidence for read in readings]
    else:
        found, confidences = attack.reconstruct_many(views, generators), []
    if len(found) != len(views):
        raise ValueError(f"{attack.name}: expected {len(views)} guesses, found {len(found)}")
    pictures = [
        check_guess(guess, view.frame_size, attack.name) for guess, view in zip(found, views, strict=True)
    ]
    sure = [
        check_confidence(confidence, view.frame_size, attack.name)
        for confidence, view in zip(confidences, views, strict=False)
    ]
    return [*pictures, *sure]


def _failure(error: Exception) -> dict[str, Any]:
    cause = error.__cause__ or error
    message = f"{error}{plugin_line(cause)}"
    if isinstance(cause, PermissionError) and cause.errno == errno.EPERM:
        message += ": an attack may not share memory, open sockets, lock files, or start or signal processes"
    return {"failure": type(error).__name__, "message": message, "trace": traceback.format_exc()}

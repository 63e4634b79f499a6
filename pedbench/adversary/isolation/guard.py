"""Limits of an attack's process: the files, modules and connections that it may use.

It keeps an attack honest, also against its author's mistakes; it is no prison for hostile native code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pedbench
from pedbench import plugins
from pedbench.adversary.isolation import landlock

FORBIDDEN_MODULES = ("pedbench.scenes", "pedbench.plugins.datasets")
"""The generator of scenes and the readers of datasets: through them an attack could fetch the truth."""

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc", "/sys", "/proc")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/dri", "/dev/kfd")

_READS = {"os.listdir", "os.scandir", "os.chdir", "sqlite3.connect"}
_WRITES = {"os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.chmod": 1, "os.utime": 1,
           "os.rename": 2, "os.link": 2, "os.symlink": 2}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NETWORK = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
            "socket.gethostbyname", "socket.gethostbyaddr"}  # fmt: skip
_PROCESSES = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill",
              "os.killpg"}  # fmt: skip


class TruthAccessError(PermissionError):
    """An attack reached for something outside of its view."""


def install(readable: Iterable[Path], scratch: Path) -> bool:
    """Close this process, from now on, to everything but code, model weights and its scratch folder.

    Args:
        readable: Further files and folders that may be read: plugins, weights.
        scratch: The one folder that may be written.

    Returns:
        Whether the kernel enforces the same; without it only what Python sees is refused.
    """
    roots = [*installation(), *(path.resolve() for path in (*_code(), *_weights(), *readable))]
    devices = [Path(device) for device in _DEVICES] + sorted(Path("/dev").glob("nvidia*"))
    scratch = scratch.resolve()
    enforced = landlock.confine(roots, [scratch, *devices])
    sys.addaudithook(_hook([str(path) for path in roots], [str(path) for path in (scratch, *devices)]))
    return enforced


@cache
def installation() -> tuple[Path, ...]:
    """Return the folders of the Python installation and of the system, which every attack may read."""
    folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, *_SYSTEM}
    return tuple(Path(folder).resolve() for folder in folders)


def _code() -> list[Path]:
    package = Path(pedbench.__file__).parent
    in_tree = [Path(folder) / kind for folder in plugins.__path__ for kind in ("attacks", "defenses")]
    return [package, *in_tree]


def _weights() -> list[Path]:
    """Return the models in the hubs' caches, each where its library looks."""
    # The cache of the Hugging Face hub holds datasets, too, and can be any folder.
    caches = _folder("XDG_CACHE_HOME", Path.home() / ".cache")
    hub = _folder("HUGGINGFACE_HUB_CACHE", _folder("HF_HOME", caches / "huggingface") / "hub")
    models = sorted(_folder("HF_HUB_CACHE", hub).glob("models--*"))
    return [*models, _folder("TORCH_HOME", caches / "torch") / "hub"]


def _folder(variable: str, default: Path) -> Path:
    return Path(os.path.expandvars(os.environ.get(variable) or default)).expanduser()


def _forbidden_folders() -> tuple[str, ...]:
    package = Path(pedbench.__file__).resolve().parent
    readers = [str(Path(folder).resolve() / "datasets") for folder in plugins.__path__]
    return (str(package / "scenes"), *readers)


def _hook(readable: list[str], writable: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook; it names what was refused.

    Paths are resolved first, so that links and `/proc/self/root` lead nowhere.
    """
    # Bound now: what an attack replaces in these modules later changes nothing here.
    fsdecode, realpath, getpid = os.fsdecode, os.path.realpath, os.getpid
    below_roots = tuple(path.rstrip("/") + "/" for path in (*readable, *writable))
    below_writable = tuple(path.rstrip("/") + "/" for path in writable)
    below_forbidden = tuple(folder + "/" for folder in _forbidden_folders())

    def check_path(path: Any, writes: bool) -> None:
        if isinstance(path, int) or path is None:
            return
        real = realpath(fsdecode(path))
        if writes and not (real + "/").startswith(below_writable):
            raise TruthAccessError(f"an attack may not write {real}")
        allowed = (real + "/").startswith(below_roots)
        owner = real.split("/")[2] if real.startswith("/proc/") else ""
        other_process = owner.isdigit() and int(owner) != getpid()
        if not allowed or other_process or (real + "/").startswith(below_forbidden):
            raise TruthAccessError(f"an attack may not open {real}")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            check_path(arguments[0], bool(arguments[2] & _WRITING))
        elif event in _READS:
            check_path(arguments[0], False)
        elif event in _WRITES:
            for path in arguments[: _WRITES[event]]:
                check_path(path, True)
        elif event == "import":
            name = arguments[0]
            if name.startswith(FORBIDDEN_MODULES):
                raise TruthAccessError(f"an attack may not import {name}")
        elif event in _NETWORK:
            raise TruthAccessError(f"an attack may not use the network ({event})")
        elif event in _PROCESSES:
            raise TruthAccessError(f"an attack may not start or signal processes ({event})")

    return hook

"""Limits of an attack's process: the files, modules and connections that it may use.

It keeps an attack honest, also against its author's mistakes; it is no prison for hostile native code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pedbench
from pedbench import plugins
from pedbench.adversary.isolation import landlock, seccomp
from pedbench.adversary.isolation.environment import left_out

FORBIDDEN_MODULES = ("pedbench.scenes", "pedbench.plugins.datasets")
"""The generator of scenes and the readers of datasets: through them an attack could fetch the truth."""

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc", "/sys")
_PROC = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/version",
         "/proc/sys", "/proc/driver")  # fmt: skip
"""Facts of the machine and of the process itself; command lines of others may name the data."""

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


@dataclass(frozen=True, kw_only=True)
class Places:
    """Files and folders that an attack's process may read.

    Attributes:
        readable: Files and folders, with all that these hold.
        listed: Folders of which only parts are readable; their names may be listed.
    """

    readable: tuple[Path, ...]
    listed: tuple[Path, ...]


def places(further: Iterable[Path]) -> Places:
    """Return code, model weights and further files and folders, without the generator of scenes and the datasets."""
    closed = _closed_folders()
    readable: list[Path] = []
    listed: list[Path] = []
    for path in (*installation(), *_code(), *_weights(), *further):
        if path.exists():
            _open(path.resolve(), closed, readable, listed)
    return Places(readable=tuple(dict.fromkeys(readable)), listed=tuple(dict.fromkeys(listed)))


def _open(path: Path, closed: Sequence[Path], readable: list[Path], listed: list[Path]) -> None:
    """Add a file or folder, piece by piece where it holds something that stays closed."""
    if path in closed:
        return
    if not any(folder.is_relative_to(path) for folder in closed):
        readable.append(path)
        return
    listed.append(path)
    for child in path.iterdir():
        _open(child, closed, readable, listed)


def install(allowed: Places, scratch: Path, *, shared_memory: bool = False) -> dict[str, bool]:
    """Close this process, from now on, to everything but the allowed places and its scratch folder.

    Args:
        allowed: From `places`.
        scratch: The one folder that may be written.
        shared_memory: As for `seccomp.confine`.

    Returns:
        By its name, whether the kernel has each means: "landlock" refuses files, "seccomp" system calls. Without them
        only what Python sees is refused.
    """
    own = [path for path in map(Path, _PROC) if path.exists()]
    devices = [Path(device) for device in _DEVICES] + sorted(Path("/dev").glob("nvidia*"))
    scratch, readable = scratch.resolve(), [*allowed.readable, *(path.resolve() for path in own)]
    off = left_out()
    force = {
        "landlock": "landlock" not in off and landlock.confine(readable, allowed.listed, [scratch, *devices]),
        "seccomp": "seccomp" not in off and seccomp.confine(shared_memory=shared_memory),
    }
    sys.addaudithook(_hook(readable, allowed.listed, (scratch, *devices)))
    return force


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


def _closed_folders() -> tuple[Path, ...]:
    package = Path(pedbench.__file__).resolve().parent
    readers = [Path(folder).resolve() / "datasets" for folder in plugins.__path__]
    return (package / "scenes", package / "suites", *readers)


def _hook(
    readable: Iterable[Path], listed: Iterable[Path], writable: Iterable[Path]
) -> Callable[[str, tuple[Any, ...]], None]:
    """Return the audit hook; it names what was refused.

    Paths are resolved first, so that links and `/proc/self/root` lead nowhere.
    """
    # Bound now: what an attack replaces in these modules later changes nothing here.
    fsdecode, realpath = os.fsdecode, os.path.realpath
    below_writable = tuple(f"{path}/" for path in writable)
    below_roots = (*(f"{path}/" for path in readable), *below_writable)
    folders = frozenset(map(str, listed))

    def check_path(path: Any, writes: bool) -> None:
        if isinstance(path, int) or path is None:
            return
        real = realpath(fsdecode(path))
        if writes and not (real + "/").startswith(below_writable):
            raise TruthAccessError(f"an attack may not write {real}")
        if not (real + "/").startswith(below_roots) and real not in folders:
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

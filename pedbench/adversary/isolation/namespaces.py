"""Namespaces, capabilities and children of the process from which attacks are forked."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

_NEW_NET, _NEW_IPC, _NEW_USER = 0x40000000, 0x08000000, 0x10000000
_PARENT_DEATH, _SUBREAPER, _DROP_BOUND = 1, 36, 24
_VERSION_3 = 0x20080522
_READ_ANYTHING = 1 << 2
"""The capability CAP_DAC_READ_SEARCH: weights may belong to another user than root."""


def leave() -> bool:
    """Give this process, which has one thread, a network without interfaces and System V memory of its own.

    Returns:
        Whether the kernel allows it; containers often do not.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        return bool(library.unshare(_NEW_NET | _NEW_IPC) == 0)
    user, group = os.geteuid(), os.getegid()
    if library.unshare(_NEW_USER | _NEW_NET | _NEW_IPC) != 0:
        return False
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with contextlib.suppress(OSError):
            Path("/proc/self", name).write_text(line, encoding="ascii")
    return True


def adopt() -> None:
    """Become the parent of what the children of this process leave behind."""
    ctypes.CDLL(None).prctl(_SUBREAPER, ctypes.c_ulong(1), *[ctypes.c_ulong(0)] * 3)


def drop() -> None:
    """Give up root's capabilities but the one to read, for this process and its children."""
    library = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        library.prctl(_DROP_BOUND, ctypes.c_ulong(capability), *[ctypes.c_ulong(0)] * 3)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    kept = _READ_ANYTHING if os.geteuid() == 0 else 0
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    library.capset(ctypes.byref(header), ctypes.byref(sets))


def strays(known: set[int]) -> list[int]:
    """Return the children of this process but the known ones."""
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in listed.split() if int(child) not in known]


def detach(parent: int) -> None:
    """Begin a session of its own that ends with the parent, without core dumps.

    Args:
        parent: Process id of the process that forked this one.
    """
    os.setsid()
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PARENT_DEATH, ctypes.c_ulong(signal.SIGKILL), *[ctypes.c_ulong(0)] * 3)
    if os.getppid() != parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

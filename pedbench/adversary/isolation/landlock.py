"""Confinement of this process by the Linux kernel (Landlock), for readers that Python does not see.

Libraries in C++ or Rust open files without an audit event; the kernel refuses them all the same.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

# System call numbers, the same on every architecture, and rights: linux/landlock.h.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY = 1, 2, 4, 8
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def confine(readable: Iterable[Path], listed: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Let this process and its children read and write only below the given paths, from now on.

    TCP (kernel 6.7 and later), and signals and abstract sockets to other processes (6.12), are refused as well. It
    cannot be undone.

    Args:
        readable: Folders and files; those that do not exist are passed over.
        listed: Folders whose names may be listed, and no more.
        writable: Folders and files that may be read and written.

    Returns:
        Whether the kernel confines the process; False where it has no Landlock.

    Raises:
        OSError: The kernel has Landlock and refuses to use it.
    """
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    if version < 1:
        return False
    # Rights came with versions: 13 to move files (2), 14 to truncate (3), TCP (4), scopes (6).
    handled = (1 << 13) - 1 | (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0)
    rules = _Ruleset(handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _checked(library.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0))
    reading = _EXECUTE | _READ_FILE | _READ_DIRECTORY
    for paths, rights in ((readable, reading), (listed, _READ_DIRECTORY), (writable, handled)):
        for path in paths:
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                continue
            folder = stat.S_ISDIR(os.fstat(handle).st_mode)
            rule = _PathRule(rights if folder else rights & _FILE_RIGHTS, handle)
            _checked(library.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
            os.close(handle)
    _checked(library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(library.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)
    return True


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result

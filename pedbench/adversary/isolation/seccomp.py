"""Confinement of this process by a filter of system calls (seccomp).

It refuses what could carry something from one job to another or out of the process: memory that processes share,
sockets, System V and POSIX queues, keys, locks, other programs and other processes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_LOAD, _AND, _EQUALS, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_SHARED, _ANONYMOUS, _WRITE, _THREAD = 0x01, 0x20, 0x02, 0x10000
_LOCKS = (6, 7, 37, 38)
"""Commands of `fcntl` that lock a file."""


@dataclass(frozen=True)
class _Calls:
    """Numbers of system calls on an architecture: the kernel's asm/unistd.h."""

    architecture: int
    refused: tuple[int, ...]
    mmap: int
    clone: int
    clone3: int
    fcntl: int
    signals: tuple[int, ...]
    """Calls whose first argument is the process that gets a signal."""


_X86_64 = _Calls(
    architecture=0xC000003E,
    # shm*, socket, fork, vfork, exec*, sem*, msg*, flock, ptrace, rt_sigqueueinfo, pivot_root, chroot, mount, umount2,
    # tkill, semtimedop, mq_open, keys, inotify*, unshare, perf_event_open, fanotify_init, open_by_handle_at, setns,
    # process_vm_*, kcmp, bpf, userfaultfd, pidfd_send_signal, io_uring_*, pidfd_getfd
    refused=(29, 30, 31, 67, 41, 57, 58, 59, 322, 64, 65, 66, 68, 69, 70, 71, 73, 101, 129, 155, 161, 165, 166,
             200, 220, 240, 248, 249, 250, 253, 294, 272, 298, 300, 304, 308,
             310, 311, 312, 321, 323, 424, 425, 426, 427, 438),
    mmap=9, clone=56, clone3=435, fcntl=72, signals=(62, 234, 297),
)  # fmt: skip

_AARCH64 = _Calls(
    architecture=0xC00000B7,
    refused=(194, 195, 196, 197, 198, 221, 281, 190, 191, 192, 193, 186, 187, 188, 189, 32, 117, 138, 41, 51, 40, 39,
             130, 180, 217, 218, 219, 26, 97, 241, 262, 265, 268,
             270, 271, 272, 280, 282, 424, 425, 426, 427, 438),
    mmap=222, clone=220, clone3=435, fcntl=25, signals=(129, 131, 240),
)  # fmt: skip

_KNOWN = {"x86_64": _X86_64, "aarch64": _AARCH64}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine(*, shared_memory: bool) -> bool:
    """Refuse, from now on, system calls that could reach another process; it cannot be undone.

    Args:
        shared_memory: Allow mappings that are shared and writable, which an accelerator's driver needs.

    Returns:
        Whether the kernel filters; False on an architecture whose calls are not listed here, or without seccomp.
    """
    calls = _KNOWN.get(platform.machine())
    if calls is None:
        return False
    program = _program(calls, os.getpid(), shared_memory)
    library = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    library.prctl(_SET_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero)
    filtered = _Program(len(program) // 8, program)
    result = library.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(filtered), zero, zero)
    return bool(result == 0)


def _program(calls: _Calls, process: int, shared_memory: bool) -> bytes:
    """Return the filter in the classic language of Berkeley packet filters."""
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUALS, 1, 0, calls.architecture),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number in calls.refused:
        code += [(_EQUALS, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    # glibc then starts threads by `clone`, whose flags a filter can see.
    code += [(_EQUALS, 0, 1, calls.clone3), (_RETURN, 0, 0, _ABSENT)]
    code += _when(calls.clone, [*_masked(0, _THREAD), (_EQUALS, 1, 0, _THREAD), (_RETURN, 0, 0, _REFUSE)])
    code += _when(calls.fcntl, [_argument(1), *_refuse_each(_LOCKS)])
    for number in calls.signals:
        code += _when(number, [_argument(0), (_EQUALS, 1, 0, process), (_RETURN, 0, 0, _REFUSE)])
    if not shared_memory:
        writable = [
            *_masked(3, _ANONYMOUS), (_EQUALS, 0, 1, _ANONYMOUS), (_RETURN, 0, 0, _REFUSE),
            *_masked(2, _WRITE), (_EQUALS, 0, 1, _WRITE), (_RETURN, 0, 0, _REFUSE),
        ]  # fmt: skip
        # MAP_SHARED is 1 and MAP_SHARED_VALIDATE is 3, MAP_PRIVATE is 2: the lowest bit tells.
        shared = [*_masked(3, _SHARED), (_EQUALS, 0, len(writable), _SHARED), *writable]
        code += _when(calls.mmap, shared)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


_Instruction = tuple[int, int, int, int]


def _argument(place: int) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)


def _masked(place: int, bits: int) -> list[_Instruction]:
    return [_argument(place), (_AND, 0, 0, bits)]


def _refuse_each(values: tuple[int, ...]) -> list[_Instruction]:
    return [each for value in values for each in ((_EQUALS, 0, 1, value), (_RETURN, 0, 0, _REFUSE))]


def _when(number: int, then: list[_Instruction]) -> list[_Instruction]:
    """Run instructions for one system call, and allow it if none of them returns."""
    return [(_EQUALS, 0, len(then) + 1, number), *then, (_RETURN, 0, 0, _ALLOW)]

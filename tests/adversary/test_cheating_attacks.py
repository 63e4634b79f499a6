"""Attacks that cheat: they remember, rewrite others, look from the run, or leave processes and files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from pedbench import plugins
from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.environment import SWITCH
from pedbench.adversary.isolation.facts import describe
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.checks import broken_rules
from pedbench.registry import Registry
from tests.adversary.cheating_attack import cheat

REMEMBER = {
    "a shared mapping made at import": (
        "SHARED = mmap.mmap(-1, 8)",
        "guess[:] = SHARED[0] / 255; SHARED[0] = 255",
    ),
    "a shared mapping made by libc": (
        "C = ctypes.CDLL(None, use_errno=True); C.mmap.restype = ctypes.c_void_p\n"
        "AT = C.mmap(None, 8, 3, 0x21, -1, 0)\n"
        "if AT == 2**64 - 1: raise OSError(ctypes.get_errno(), 'refused')",
        "guess[:] = 1",
    ),
    "System V memory": (
        "C = ctypes.CDLL(None, use_errno=True)",
        "if C.shmget(4711, 4096, 0o1600) < 0: raise OSError(ctypes.get_errno(), 'refused')",
    ),
    "a message queue": (
        "C = ctypes.CDLL(None, use_errno=True)",
        "if C.msgget(4711, 0o1600) < 0: raise OSError(ctypes.get_errno(), 'refused')",
    ),
    "a socket with an abstract name": ("", "socket.socket(socket.AF_UNIX).bind(chr(0) + 'letterbox')"),
    "a datagram": ("", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"),
    "a lock on a file of the program": (
        "",
        "fcntl.flock(os.open(sys.modules['pedbench'].__file__, os.O_RDONLY), fcntl.LOCK_SH)",
    ),
    "a daemon": ("", "os.fork()"),
    "a daemon by libc": (
        "C = ctypes.CDLL(None, use_errno=True)",
        "pid = C.fork()\n        if pid == 0: os._exit(0)\n"
        "        if pid < 0: raise OSError(ctypes.get_errno(), 'refused')",
    ),
}


@pytest.mark.parametrize("way", REMEMBER)
def test_what_one_job_could_leave_for_another_is_refused(tmp_path: Path, view: bytes, way: str) -> None:
    spec = cheat(tmp_path, *REMEMBER[way])
    with AttackPool([spec]) as pool:
        with pytest.raises(AttackFailure, match=r"refused|not permitted|may not") as caught:
            pool.guess(spec, [view], [0])
        if not pool.force["seccomp"]:
            pytest.skip("this kernel filters no system calls")
    assert caught.value.kind in ("PluginError", "PermissionError", "TruthAccessError", "OSError")


@pytest.mark.slow
def test_what_an_attack_changes_reaches_no_other_job(tmp_path: Path, view: bytes) -> None:
    spoil = (
        "import pedbench.adversary.isolation.job as job, pedbench.adversary.isolation.answers as answers\n"
        "job._guesses = lambda *given: [np.zeros((8, 12, 3), np.float32)]\n"
        "Attack.reconstruct_many = None\n"
        "sys.modules['pedbench.adversary.isolation.zygote'] = None"
    )
    spec, honest = cheat(tmp_path, spoil, "pass"), Registry().spec("attacks", "mean_colour", {})
    with AttackPool([spec, honest]) as pool:
        before = pool.guess(honest, [view], [0]).pictures[0]
        pool.guess(spec, [view], [0])
        assert np.array_equal(pool.guess(honest, [view], [0]).pictures[0], before)
    assert any("replaces _guesses of pedbench" in rule for rule in broken_rules(tmp_path / "cheat.py"))


def test_a_run_imports_no_attack(tmp_path: Path) -> None:
    """The module runs in confined processes alone, so it cannot read the truth, nor hand it on."""
    truth = tmp_path / "truth.txt"
    truth.write_text("secret")
    note = f"os.environ['LC_ALL'] = open({str(truth)!r}).read()"
    with pytest.raises(Exception, match="an attack may not open"):
        describe(cheat(tmp_path, note, "pass"))
    mark = tmp_path / "imported"
    tell = f"try: Path({str(mark)!r}).touch()\nexcept OSError: pass\nPID = os.getpid()"
    assert describe(cheat(tmp_path, tell, "pass")).label == "cheat"
    assert not mark.exists()


def test_what_is_written_into_the_prior_reaches_no_other_job(tmp_path: Path, view: bytes) -> None:
    body = "any(picture.setflags(write=True) or picture.fill(0) for picture in view.prior.pictures)"
    spec, honest = cheat(tmp_path, "", body), Registry().spec("attacks", "random_image", {})
    with AttackPool([spec, honest]) as pool:
        before = pool.guess(honest, [view], [1]).pictures[0]
        pool.guess(spec, [view], [0])
        assert np.array_equal(pool.guess(honest, [view], [1]).pictures[0], before)


def test_a_job_leaves_no_process_and_no_file(tmp_path: Path, view: bytes) -> None:
    """Where the kernel allows a fork, what it leaves behind ends with the job."""
    spec = cheat(tmp_path, "", "Path('note').write_text('seen')")
    with AttackPool([spec]) as pool:
        pool.guess(spec, [view], [0])
        zygote = pool._zygote()
        scratch = Path(zygote._folder.name, "scratch")
        deadline = time.monotonic() + 5
        while any(scratch.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(scratch.iterdir())
        children = Path(f"/proc/{zygote.process.pid}/task/{zygote.process.pid}/children").read_text().split()
        assert [child for child in children if os.path.exists(f"/proc/{child}")] == []


def test_a_job_inherits_no_file_and_no_right_of_root_but_to_read(tmp_path: Path, view: bytes) -> None:
    body = (
        "import resource, struct\n"
        "        files = sum(os.path.exists(f'/proc/self/fd/{fd}') for fd in range(3, 1024))\n"
        "        header, rights = struct.pack('=Ii', 0x20080522, 0), ctypes.create_string_buffer(24)\n"
        "        ctypes.CDLL(None).capget(header, rights)\n"
        "        raise LookupError(files, *struct.unpack('=6I', rights), *resource.getrlimit(resource.RLIMIT_CORE))"
    )
    spec, kept = cheat(tmp_path, "", body), 4 if os.geteuid() == 0 else 0
    with AttackPool([spec]) as pool, pytest.raises(AttackFailure, match=rf"\(1, {kept}, {kept}(, 0){{6}}\)"):
        pool.guess(spec, [view], [0])


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["landlock", "seccomp", "namespaces"])
def test_attacks_run_where_the_kernel_lacks_a_means_and_it_is_told(
    tmp_path: Path, view: bytes, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, missing)
    truth = tmp_path / "truth.txt"
    truth.write_text("secret")
    spec = cheat(tmp_path, "", f"open({str(truth)!r})")
    honest = Registry().spec("attacks", "mean_colour", {})
    with AttackPool([spec, honest]) as pool:
        assert pool.guess(honest, [view], [0]).pictures[0].shape == (8, 12, 3)
        assert pool.force[missing] is False
        assert pool.enforced is (missing == "namespaces")
        with pytest.raises(AttackFailure, match=r"an attack may not open .* property `files`"):
            pool.guess(spec, [view], [0])


def test_a_daemon_ends_with_its_job_where_the_kernel_lets_it_fork(
    tmp_path: Path, view: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "seccomp")
    body = (
        "if os.fork() == 0:\n"
        "            os.setsid()\n"
        "            if os.fork() == 0: time.sleep(600)\n"
        "            os._exit(0)"
    )
    spec = cheat(tmp_path, "", body)
    with AttackPool([spec]) as pool:
        pool.guess(spec, [view], [0])
        zygote = pool._zygote().process.pid
        children = Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()
    assert children == []


def test_attacks_are_found_although_something_changes_beside_their_folder(view: bytes) -> None:
    root = Path(plugins.__path__[-1])
    floors = [Registry().spec("attacks", name, {}) for name in ("mean_colour", "nearest_pixel")]
    with AttackPool(floors) as pool:
        pool.guess(floors[0], [view], [0])
        for spec in floors:
            os.utime(root)
            assert len(pool.guess(spec, [view], [0]).pictures) == 1

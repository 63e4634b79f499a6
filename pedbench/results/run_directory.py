"""Run directories: where a run's results lie, who may write them, and which is the newest.

A run's id is the suite's name with a digest of the resolved suite, so running the same selection again
continues in the same directory and completes what is missing there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from pedbench.host.files import lock, write_atomically
from pedbench.registry import Kind, Registry
from pedbench.results.records import PLAN
from pedbench.suites.choices import Choice, DatasetChoice, GalleryChoice
from pedbench.suites.files import to_toml
from pedbench.suites.schema import ResolvedSuite

SUITE = "suite.toml"
PLUGINS = "plugins"
"""Folder of a run directory: copies of the plugin files that the suite uses."""

LOCK = ".lock"


class RunLockedError(OSError):
    """Another process writes the run directory."""


def refuse_links_out(directory: Path) -> None:
    """Refuse a run directory that holds links to elsewhere, or anything but files and folders.

    Raises:
        ValueError: One was found; a run from elsewhere could show private files by it, or have them overwritten.
    """
    inside = directory.resolve()
    for folder, names, files in os.walk(directory):
        for path in (Path(folder, name) for name in (*names, *files)):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) and not path.resolve().is_relative_to(inside):
                raise ValueError(
                    f"{path} is a link out of the run: put what it points to there, or remove it."
                )
            if not (stat.S_ISLNK(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise ValueError(f"{path} is neither a file nor a folder, and no part of a run: remove it.")


def run_directory(reports: Path, suite: ResolvedSuite, *, fresh: bool = False) -> Path:
    """Return the directory of a suite's run, created with the resolved suite in it.

    Args:
        reports: Folder that holds `runs/` and the link `latest`.
        fresh: Start anew beside earlier runs of the same suite, in a directory with the next free number.
            Without it, the run with the highest number is continued.

    Raises:
        OSError: The directory cannot be written.
    """
    text = to_toml(suite)
    run_id = f"{suite.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    newest = None
    for number in count(1):
        free = reports / "runs" / (run_id if number == 1 else f"{run_id}-{number}")
        if not free.exists():
            break
        newest = free
    directory = free if fresh or newest is None else newest
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / SUITE, text)
    except OSError as error:
        message = f"{directory} cannot be written ({error.strerror}): name another folder by --out."
        raise OSError(message) from error
    return directory


def keep_plugins(directory: Path, suite: ResolvedSuite, registry: Registry) -> None:
    """Copy the plugin files that a suite uses into its run directory, from where it can be run again."""
    used: dict[Kind, Sequence[Choice | DatasetChoice | GalleryChoice]] = {
        "datasets": [suite.dataset, suite.gallery or suite.dataset],
        "defenses": suite.defenses,
        "attacks": suite.attacks,
        "metrics": suite.metrics,
        "probes": suite.probes,
    }
    for kind, choices in used.items():
        for choice in choices:
            origin = registry.origin(kind, choice.name)
            if origin.type == "path":
                # The folder's name states the kind, which the text of a file may not show.
                copy = directory / PLUGINS / kind / f"{choice.name}.py"
                copy.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(copy, Path(origin.location).read_bytes())


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other runs out of a directory for the time of the block, even if this process is killed.

    Raises:
        RunLockedError: Another run writes there.
    """
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            lock(descriptor, directory, "name a folder on a local disk by --out")
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode() or "unknown"
            raise RunLockedError(
                f"another run (process {owner}) writes {directory}. "
                "Wait for it, or use --fresh for a run of its own."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def settle(directory: Path) -> str:
    """Let `latest`, beside the folder `runs`, point to a run that has begun; remove one that never did.

    A run has begun when its plan is written: what fails before that is the input's fault.

    Returns:
        Why `latest` does not point to the run, "" if it does: a link is a convenience, and no reason to fail.
    """
    if not (directory / PLAN).is_file():
        if {path.name for path in directory.iterdir()} <= {SUITE, LOCK, PLUGINS}:
            shutil.rmtree(directory)
        return ""
    link = directory.parent.parent / "latest"
    partial = link.with_name(f".latest-{os.getpid()}")
    try:
        partial.symlink_to(Path("runs") / directory.name)
        partial.replace(link)
    except (OSError, NotImplementedError) as error:
        partial.unlink(missing_ok=True)
        reason = "it is a folder" if link.is_dir() and not link.is_symlink() else error
        return f"{link} does not point to this run ({reason}): name {directory} instead."
    return ""

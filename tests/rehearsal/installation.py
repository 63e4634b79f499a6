"""An installation of pedbench whose ViT-B and SlimSAM are small, and that reaches no other machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

SMALLER = """

VIT_B, SLIM_SAM = replace(SMALL, name="vit_b"), replace(SMALL, name="slimsam")
ARCHITECTURES |= {item.name: item for item in (VIT_B, SLIM_SAM)}
"""
"""Last lines of `pedbench.models.sam.architectures`."""

GUARD = """
import os
import sys
from pathlib import Path

REACHED = Path(__file__).with_name("reached.txt")


def _local(host):
    text = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    return text in ("localhost", "::1", "0.0.0.0") or text.startswith("127.")


def _refuse(event, details):
    if event == "socket.getaddrinfo":
        host = details[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(details[1], tuple):
        host = details[1][0]
    else:
        return
    if not _local(host):
        with REACHED.open("a") as file:
            file.write(f"{event} {host} by {sys.argv}\\n")
        raise PermissionError(f"this installation reaches no other machine, and {event} asked for {host}")


sys.addaudithook(_refuse)
"""
"""Module `sitecustomize`: refuses other hosts than this one, and writes down which were asked for."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A copy of the package, a home directory and a working directory.

    Attributes:
        package: Folder of the copy.
        user: The user's home directory.
        folder: The working directory of commands.
        variables: Environment variables of commands.
    """

    package: Path
    user: Path
    folder: Path
    variables: Mapping[str, str]

    @property
    def home(self) -> Path:
        """Folder in which pedbench keeps files by default."""
        return self.user / ".cache" / "pedbench"

    @property
    def reached(self) -> str:
        """Attempts to reach other machines, one per line."""
        file = self.package / "reached.txt"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the working directory, and return its output in one stream."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PEDBENCH_", "HF_"))
        }
        own = {"HOME": str(self.user), "PYTHONPATH": str(self.package), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**kept, **own, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def pedbench(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run `pedbench` with words of a command line, of which a shell would expand those that begin with `~`."""
        expanded = [f"{self.user}{word[1:]}" if word.startswith("~/") else word for word in words]
        return self.python("-m", "pedbench", *expanded)


def install(folder: Path, **variables: str) -> Installation:
    """Copy the package into a folder, and make the networks of the copy small."""
    package = folder / "package"
    for part in ("pedbench", "attacks", "defenses", "datasets"):
        shutil.copytree(ROOT / part, package / part, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "pedbench" / "models" / "sam" / "architectures.py").open("a", encoding="utf-8") as file:
        file.write(SMALLER)
    (package / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    for name in ("user", "work"):
        (folder / name).mkdir()
    return Installation(
        package=package, user=folder / "user", folder=folder / "work", variables=dict(variables)
    )

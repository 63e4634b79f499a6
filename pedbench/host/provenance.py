"""Origin of a number: the code, the machine, the weights and the time."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pedbench
from pedbench.host.jetson import jetson_facts

PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "scikit-image", "pillow", "segment-anything", "pycocotools",
    "lpips", "transformers", "diffusers", "safetensors", "grpcio", "protobuf", "pandas", "pyarrow",
)  # fmt: skip
"""Packages whose version can change a number."""


def provenance(
    *, run_id: str, device: str, sources: Mapping[str, str], weights: Mapping[str, str]
) -> dict[str, Any]:
    """Return the provenance that a record states, as JSON values.

    Args:
        device: Torch's name of the models' device.
        sources: `registry.source_hash` of each plugin involved, by name.
        weights: sha256 of each weights file involved, by name.
    """
    return {
        "run_id": run_id,
        "utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **_code(),
        **machine(device),
        "sources": dict(sources),
        "weights": dict(weights),
    }


@cache
def _code() -> dict[str, Any]:
    commit, dirty = _commit(Path(pedbench.__file__).parents[1])
    versions = {"python": platform.python_version(), "pedbench": pedbench.__version__}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = ""
    return {"commit": commit, "dirty": dirty, "versions": versions}


def _commit(root: Path) -> tuple[str, bool | None]:
    """Return the checkout's commit and whether files differ from it; "" and None outside a checkout."""
    if not (root / ".git").exists():
        return "", None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit, bool(_git(root, "status", "--porcelain"))
    except subprocess.CalledProcessError as error:
        if "safe.directory" in error.stderr:
            from pedbench.host.console import Console

            Console().line(
                f"The commit is not recorded: git refuses to read {root}, which another user owns. To allow it: "
                f"git config --global --add safe.directory {root}"
            )
        return "", None
    except OSError:
        return "", None


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@cache
def machine(device: str) -> dict[str, Any]:
    """Describe this machine and the device, as JSON values.

    Args:
        device: Torch's name of the device.
    """
    import torch

    name = (
        torch.cuda.get_device_name(device)
        if device.startswith("cuda") and torch.cuda.is_available()
        else cpu_model()
    )
    return {
        "device": device,
        "device_name": name,
        "cpu": cpu_model(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "machine_id": _machine_id(),
        "platform": platform.platform(),
        **({"jetson": facts} if (facts := jetson_facts()) else {}),
    }


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_model() -> str:
    """Return the name of the processor, or of its architecture where the system tells no name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _machine_id() -> str:
    """Return an anonymous identifier of this machine: 12 hexadecimal digits of a hash."""
    try:
        machine_id = Path("/etc/machine-id").read_text(encoding="utf-8").strip()
    except OSError:
        machine_id = ""
    return hashlib.sha256(f"pedbench {machine_id or uuid.getnode()}".encode()).hexdigest()[:12]

"""The surroundings of an attack's process: its environment variables, and the code that it may read."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import pedbench
from pedbench.registry import PluginSpec

_KEPT = ("PATH", "HOME", "LANG", "LC_", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "HF_HOME", "TORCH_HOME", "PEDBENCH_HOME",
         "CUDA_", "NVIDIA_", "ROCR_", "HIP_", "ATEN_", "MKL_CBWR", "GLIBC_TUNABLES",
         "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE")  # fmt: skip

_OPTED_OUT = ("ORT_DISABLE_TELEMETRY",)
"""Exact names of the variables by which libraries are asked not to report their use."""


def environment(scratch: str) -> dict[str, str]:
    """Return the variables of an attack's process, whose temporary files go to the folder `scratch`."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT) or name in _OPTED_OUT}
    return kept | {
        "PYTHONPATH": str(Path(pedbench.__file__).parents[1]),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        # One thread until the fork: a library's pool of threads would not survive it.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TMPDIR": scratch,
        "MPLCONFIGDIR": scratch,
        "HF_HUB_OFFLINE": "1",
        # To ask whether there is an accelerator must not begin its context, which would not survive the fork either.
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def sources(specs: Sequence[PluginSpec]) -> list[Path]:
    """Return the files and folders of attacks that are not part of pedbench."""
    found = []
    for spec in specs:
        if spec.origin.type == "path":
            found.append(Path(spec.origin.location))
        elif spec.origin.type == "entry point":
            module = importlib.util.find_spec(spec.origin.location.partition(":")[0].partition(".")[0])
            if module is not None and module.submodule_search_locations:
                found.extend(Path(folder) for folder in module.submodule_search_locations)
            elif module is not None and module.origin is not None:
                found.append(Path(module.origin))
    return found

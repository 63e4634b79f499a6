"""The surroundings of an attack's process: its environment variables, and the code that it may read."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import pedbench
from pedbench.registry import PluginSpec

SWITCH = "PEDBENCH_WITHOUT"
"""Variable that names means of the kernel to leave out, with commas between them: landlock, seccomp, namespaces."""

_KEPT = frozenset({
    "PATH", "HOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY", "LC_NUMERIC", "LC_TIME",
    "XDG_CACHE_HOME", SWITCH, "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TORCH_HOME",
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "CUDA_MODULE_LOADING",
    "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_TF32_OVERRIDE", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION",
    "ATEN_CPU_CAPABILITY", "MKL_CBWR", "GLIBC_TUNABLES", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE",
})  # fmt: skip
"""Exact names: a prefix would let a variable with a path to the data or a secret through."""


def environment(scratch: str, libraries: str) -> dict[str, str]:
    """Return the variables of an attack's process.

    Args:
        scratch: Folder of its temporary files.
        libraries: Folder of links to the libraries outside of the Python installation.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    return {
        **kept,
        **pedbench.REPORTS_OFF,
        "PYTHONPATH": f"{Path(pedbench.__file__).parents[1]}{os.pathsep}{libraries}",
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


def left_out() -> frozenset[str]:
    """Return the means of confinement that the environment says to leave out."""
    return frozenset(os.environ.get(SWITCH, "").split(","))


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

"""Facts of the machine, its GPU and the installed packages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import torch

from pedbench.host.provenance import provenance
from pedbench.report.words.text import code
from tools.first_contact.setting import Setting

_LEFT_OUT = ("run_id", "sources", "weights", "machine_id", "versions")


def measure(setting: Setting) -> dict[str, Any]:
    """Collect facts, versions and what `pedbench doctor` misses."""
    origin = provenance(run_id="", device=setting.device, sources={}, weights={})
    facts = {name: value for name, value in origin.items() if name not in _LEFT_OUT}
    facts |= {
        "built for CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "TF32 in matrix products": torch.backends.cuda.matmul.allow_tf32,
        "TF32 in convolutions": torch.backends.cudnn.allow_tf32,
    }
    if setting.is_cuda:
        facts |= _gpu(setting.device)
    return {"facts": facts, "versions": origin["versions"], "missing": _missing()}


def _gpu(device: str) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(device)
    facts = {
        "compute capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "GiB of memory": round(properties.total_memory / 2**30, 1),
        "GiB free": round(torch.cuda.mem_get_info(device)[0] / 2**30, 1),
        "GPUs": torch.cuda.device_count(),
        "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
    }
    if program := shutil.which("nvidia-smi"):
        query = "--query-gpu=driver_version,clocks.max.sm,power.limit,compute_mode"
        done = subprocess.run(
            [program, query, "--format=csv,noheader"], capture_output=True, text=True, check=False
        )
        facts["driver, clock, power, mode"] = done.stdout.strip() or done.stderr.strip()
    return facts


def _missing() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pedbench", "doctor", "--json"], capture_output=True, text=True, check=False
    )
    findings = json.loads(done.stdout)["findings"]
    return [f"{each['subject']}: {each['found']}" for each in findings if each["status"] != "ok"]


def show(result: Mapping[str, Any]) -> str:
    """Return the facts as a list, and versions and missing things as a line each."""
    lines = [f"- {name}: {code(str(value))}" for name, value in result["facts"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    missing = "; ".join(map(code, result["missing"])) or "nothing"
    return "\n".join([*lines, f"- versions: {versions}", f"- `pedbench doctor` misses: {missing}"])

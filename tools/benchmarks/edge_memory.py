"""Measure what the edge of `ped_sam` takes with SAM ViT-H: `python -m tools.benchmarks.edge_memory`.

Weights are random. Each setting has an edge process of its own, which runs two passes over one scene with one virtual
server; writes the table into docs/measured/latency.md. Needs 8 GB, and minutes a setting on two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from pedbench.host.home import home
from pedbench.models.sam.half_precision import converted
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.random_weights import random_family
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.registry import Registry
from pedbench.report.words.text import table
from tools.documents.measured_blocks import measured

SETTINGS = (
    ("float32", "float32"),
    ("bfloat16", "float32"),
    ("bfloat16", "float16"),
    ("bfloat16", "quantised"),
)
"""Dtype of the encoder, and form of the tokens that servers return."""


def edge(dtype: str, reply: str, model: str) -> dict[str, float]:
    """Run two passes in this process.

    Returns:
        Peak of the memory, and at the end the parts of it that are files and that are not, in bytes; bytes to and from
        the server.
    """
    networks = FamilyNetworks(family=random_family(model), dtype=getattr(torch, dtype))
    scene = Registry().create("datasets", "scenes", {"split": "val"})[0]
    defense = PedSam(servers=1, reply=reply)
    with torch.inference_mode(), VirtualServers(1, networks) as servers:
        frame = to_frame(scene.image, networks.network("original").image_encoder.img_size)
        for request in range(2):
            rng = np.random.default_rng(0)
            done = run_pass(
                defense, frame, servers, networks, rng, PassSettings(request=request, deadline=3600)
            )
    (message,) = done.received
    return {
        "peak": status("VmHWM"),
        "files": status("RssFile"),
        "own": status("RssAnon"),
        "up": message.bytes_in,
        "down": message.bytes_out,
    }


def conversion(dtype: str, model: str) -> int:
    """Return the peak of this process's memory in bytes after it made the file of weights in half precision."""
    file = random_family(model).fine_tuned.file
    assert file is not None
    with TemporaryDirectory(dir=home()) as folder:
        os.environ["PEDBENCH_HOME"] = folder
        converted(file, getattr(torch, dtype))
    return status("VmHWM")


def status(name: str) -> int:
    """Return an entry of this process's status in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def in_process(call: str) -> Any:
    """Return the result of a call of this module, `m`, in a process of its own."""
    code = f"import json, {__spec__.name} as m; print(json.dumps(m.{call}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@measured("measured/latency.md", "edge memory")
def main(model: str = "vit_h") -> str:
    """Measure every setting in a process of its own."""
    lines = []
    for dtype, reply in SETTINGS:
        found = in_process(f"edge({dtype!r}, {reply!r}, {model!r})")
        sizes = [f"{found[name] / 1e9:.2f} GB" for name in ("peak", "own", "files")]
        sent = [f"{found[name] / 1e6:.1f} MB" for name in ("up", "down")]
        lines.append([f"`{dtype}`", f"`{reply}`", *sizes, *sent])
        print(*lines[-1], flush=True)
    headers = ["encoder", "reply", "peak", "own memory", "mapped files", "up", "down"]
    once = in_process(f"conversion('bfloat16', {model!r})") / 1e9
    return f"{table(headers, lines, left=2)}\n\nMaking the half-precision file takes {once:.2f} GB once.\n"


if __name__ == "__main__":
    main()

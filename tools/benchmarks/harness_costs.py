"""Time of a pass beyond the model's computing, and effect of bfloat16 on the masks."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch

from pedbench.base import Embedding
from pedbench.host.determinism import without_onednn
from pedbench.measure.seeds import generator
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import MINI, Family
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.tiles import stages
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.passes.stream_windows import encode_here
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame, to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.registry import Registry
from pedbench.results.statistics import difference
from pedbench.types import Picture, Window
from pedbench.utility.segmentation import evaluate

WEIGHTS = "fine-tuned"


def overhead_seconds(
    family: Family, servers: int, repeats: int, *, random_seed: int | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Measure turn-taking seconds of `ped_sam` over loopback, with and without the model's computing.

    Each pass is followed by the same computing in this process alone: the windows of the slowest server, then the
    blocks of the edge.

    Returns:
        (repeats,) seconds of whole passes, and of their parts that are no computing.
    """
    networks = FamilyNetworks(family=family, random_seed=random_seed)
    side = networks.network(WEIGHTS).image_encoder.img_size
    pixels = generator(0, "performance", "frame", "pixels").integers(0, 256, (side, side, 3))
    frame = (pixels / 255).astype(np.float32)
    defense = PedSam(servers=servers, weights=WEIGHTS)
    whole, overhead = [], []
    with VirtualServers(servers, networks) as processes:
        processes.load(WEIGHTS)
        processes.set_mode(turns=True, threads=torch.get_num_threads())
        for repeat in range(repeats + 1):
            done = run_pass(
                defense, frame, processes, networks, generator(0, "performance", str(repeat), defense.label)
            )
            computing = _computing(networks, frame, defense)
            if repeat:
                whole.append(done.times().total)
                overhead.append(done.times().total - computing)
    return np.array(whole), np.array(overhead)


def _computing(networks: FamilyNetworks, frame: Picture, defense: PedSam) -> float:
    network = networks.network(WEIGHTS)
    stage, finish = stages(network)
    size, pixels = (frame.shape[0], frame.shape[1]), to_uint8(frame)
    assignment = assign(
        defense.assignment,
        stage.grid.windows,
        defense.servers,
        generator(0, "performance", "0", defense.label),
    )
    slowest = 0.0
    encoded: dict[Window, torch.Tensor] = {}
    with torch.inference_mode(), without_onednn():
        for windows in assignment.values():
            start = time.perf_counter()
            encoded.update(encode_here(network, pixels, windows))
            slowest = max(slowest, time.perf_counter() - start)
        start = time.perf_counter()
        finish(stage.assemble(encoded, size))
        return slowest + time.perf_counter() - start


def bfloat16_points(pictures: int) -> tuple[float, float, float]:
    """Measure the IoU points that the mini model gains in bfloat16, with a 95 % interval over pictures."""
    import pandas as pd

    dataset = Registry().create("datasets", "scenes", {"split": "val"})
    network = FamilyNetworks(family=MINI).network("original")
    exact, fast = network.image_encoder, copy.deepcopy(network.image_encoder).to(torch.bfloat16)
    grid = stages(FamilyNetworks(family=MINI).network(WEIGHTS))[0].grid
    scores: dict[str, list[dict[str, Any]]] = {"float32": [], "bfloat16": []}
    for sample in (dataset[index] for index in range(pictures)):
        frame = to_frame(sample.image, exact.img_size)
        for name, encoder in (("float32", exact), ("bfloat16", fast)):
            pixels = preprocess(network, to_uint8(frame)).to(encoder.pos_embed.dtype)
            with torch.inference_mode():
                embedding = Embedding(features=encoder(pixels).float(), network=network)
            rows = evaluate(
                embedding,
                sample,
                frame=(frame.shape[0], frame.shape[1]),
                window=grid.window * grid.patch,
                protocol="clicks",
                prompts=("1",),
            )
            scores[name] += [{"image": sample.id, **row} for row in rows]
    change = difference(pd.DataFrame(scores["bfloat16"]), pd.DataFrame(scores["float32"]))
    low, high = change.ci95 or (change.value, change.value)
    return 100 * change.value, 100 * low, 100 * high

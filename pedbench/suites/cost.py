"""Forecast of a suite's time and memory here: one picture is encoded and segmented, the rest is counted."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from pedbench.adversary.isolation.facts import create
from pedbench.base import Dataset, Defense, Embedding
from pedbench.host.determinism import torch_threads, without_onednn
from pedbench.host.provenance import cores
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import Family
from pedbench.models.sam.networks import load_network
from pedbench.models.sam.stages import window_grid
from pedbench.pictures.frame import to_frame, to_uint8
from pedbench.registry import Registry
from pedbench.suites.choices import DefenseChoice
from pedbench.suites.schema import ResolvedSuite
from pedbench.types import Instance, Sample
from pedbench.utility.segmentation import evaluate

PICTURE = (480, 640)
"""Height and width in pixels of the picture that is tried."""

OBJECTS = 4
"""Objects in it."""

TRIES = 2
"""Encodings, of which the fastest counts: the first also gets the memory."""

LOOKED_AT = 20
"""Pictures whose objects are counted to know how many a picture has."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Costs of a suite here, without attacks, metrics and probes.

    Attributes:
        passes: How often a picture is encoded.
        encode: Seconds of each.
        objects: How many are segmented, for all prompts.
        segment: Seconds of each.
        peak: Bytes of memory that a process takes which encodes a picture.
        servers: How many run at once.
    """

    passes: int
    encode: float
    objects: float
    segment: float
    peak: int
    servers: int

    @property
    def seconds(self) -> float:
        """Time of all passes and masks."""
        return self.passes * self.encode + self.objects * self.segment


def forecast(suite: ResolvedSuite, of: Family, registry: Registry, dataset: Dataset) -> Forecast:
    """Try one picture with random weights, which take as long as trained ones, and count.

    Raises:
        PluginError: A plugin is broken.
    """
    pictures = len(dataset.ids()[: suite.dataset.limit])
    requests = [create(registry, "attacks", each.name, each.params).requests for each in suite.attacks]
    passes = sum(_passes(choice, pictures, max([1, *requests]), suite) for choice in suite.defenses)
    measured = sum(
        min(choice.limit or pictures, pictures) * (1 + len(choice.lies or ())) for choice in suite.defenses
    )
    defenses = [_defense(registry, choice) for choice in suite.defenses]
    encode, segment = _try(suite, of)
    return Forecast(
        passes=passes,
        encode=encode,
        objects=measured * _objects(dataset, pictures),
        segment=segment,
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        servers=max(defense.servers for defense in defenses),
    )


def _passes(choice: DefenseChoice, pictures: int, requests: int, suite: ResolvedSuite) -> int:
    count = min(choice.limit or pictures, pictures)
    scored = count * (requests if choice.privacy else 1)
    again = len(suite.latency.links) - 1 + suite.latency.turn_taking if choice.latency else 0
    scored += count * len(choice.lies or ())
    # What is replayed is asked for anew, once a picture.
    scored += count * any(lies.lie == "replay" for lies in choice.lies or ())
    return scored + suite.latency.warmup + again * min(suite.latency.samples, count)


def _defense(registry: Registry, choice: DefenseChoice) -> Defense:
    defense: Defense = registry.create("defenses", choice.name, choice.params)
    return defense


def _objects(dataset: Dataset, pictures: int) -> float:
    """Objects of a picture, on average over the first."""
    samples = islice((dataset[index] for index in range(pictures)), LOOKED_AT)
    return float(np.mean([len(sample.instances) for sample in samples]))


def _try(suite: ResolvedSuite, of: Family) -> tuple[float, float]:
    """Seconds to encode a picture, and to segment an object of it with all prompts of the suite."""
    network = load_network(of, "original", random_seed=0)
    picture = np.random.default_rng(0).random((*PICTURE, 3)).astype(np.float32)
    frame = to_frame(picture, network.image_encoder.img_size)
    pixels = preprocess(network, to_uint8(frame))
    times = []
    with torch_threads(cores()), without_onednn(), torch.inference_mode():
        for _ in range(TRIES):
            began = time.perf_counter()
            features = network.image_encoder(pixels).float()
            times.append(time.perf_counter() - began)
    sample = Sample(id="tried", image=picture, instances=_instances())
    grid = window_grid(network.image_encoder)
    began = time.perf_counter()
    for utility in suite.utility:
        evaluate(
            Embedding(features=features, network=network),
            sample,
            frame=(frame.shape[0], frame.shape[1]),
            window=grid.window * grid.patch,
            protocol=utility.protocol,
            prompts=utility.prompts,
        )
    return min(times), (time.perf_counter() - began) / OBJECTS


def _instances() -> tuple[Instance, ...]:
    side = PICTURE[0] // OBJECTS
    masks = np.zeros((OBJECTS, *PICTURE), np.bool_)
    for number, mask in enumerate(masks):
        mask[number * side : (number + 1) * side - 10, 100:300] = True
    return tuple(
        Instance(id=number, category="", mask=mask, area=float(mask.sum()))
        for number, mask in enumerate(masks)
    )

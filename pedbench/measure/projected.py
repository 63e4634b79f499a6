"""Turn-taking passes projected to the devices that a suite names: values that nothing here measured."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch

from pedbench.host.determinism import without_onednn
from pedbench.host.device import synchroniser
from pedbench.latency.devices import THIS_HOST, find_device
from pedbench.measure.bench import PassBench
from pedbench.measure.outcome import Row
from pedbench.models.sam.assembly import preprocess
from pedbench.network.links import Link
from pedbench.offload.passes.rescaling import rescale
from pedbench.offload.passes.run_pass import Pass
from pedbench.offload.passes.timing import Clock, PassTimes, Rounds, lower_bound, turn_times
from pedbench.pictures.frame import to_uint8
from pedbench.types import Picture, Sample

PROJECTED, ENCODER = "projected", "encoder"
"""Names of values: seconds of a projected pass by phase, and of the whole encoder by where it computes."""

HOST, EDGE, SERVER = "this host", "edge device", "server device"
"""Where an encoder computes: on this host, measured, or on a device, by its published times."""


def phases(times: PassTimes, least: float) -> dict[str, float]:
    """Return the seconds by phase of a pass, as they are named in results.

    Args:
        least: The pass's lower bound.
    """
    return {
        "end to end": times.total,
        "prepare": times.prepare,
        "uplink": times.uplink,
        "slowest server": times.server,
        "downlink": times.downlink,
        "edge": times.edge,
        "lower bound": least,
    }


def project(
    bench: PassBench,
    done: Pass,
    sample: Sample,
    frame: Picture,
    decoder: float,
    seeds: Mapping[Link, int],
) -> dict[Link, list[Row]]:
    """Project a turn-taking pass over each link; return nothing where the suite names no devices.

    Args:
        decoder: Seconds of the mask decoder.
        seeds: Of every link's jitter and losses.
    """
    devices = bench.plan.suite.latency.devices
    if devices is None:
        return {}
    host, network = _encoder_seconds(bench, frame), bench.plan.family.original.architecture
    edge, server = (
        host if name == THIS_HOST else find_device(name).encoder(network)
        for name in (devices.edge, devices.server)
    )
    encoder = {HOST: host, EDGE: edge, SERVER: server}
    seconds = on_devices(done.rounds, done.clock, decoder, seeds, edge=edge / host, server=server / host)
    return {
        link: [
            {"image": sample.id, "metric": metric, "region": region, "value": value}
            for metric, values in ((PROJECTED, by_phase), (ENCODER, encoder))
            for region, value in values.items()
        ]
        for link, by_phase in seconds.items()
    }


def on_devices(
    rounds: Rounds,
    clock: Clock,
    decoder: float,
    seeds: Mapping[Link, int],
    *,
    edge: float,
    server: float,
) -> dict[Link, dict[str, float]]:
    """Return the seconds by phase over each link of a turn-taking pass on other devices.

    Args:
        edge: How many times as long the edge takes for its work; its mask decoder takes `decoder` seconds here.
        server: The same for each server.
    """
    rounds, clock = rescale(rounds, clock, edge=edge, server=server)
    return {
        link: {
            **phases(turn_times(rounds, clock, link, seed), lower_bound(rounds, clock, link)),
            "decoder": edge * decoder,
        }
        for link, seed in seeds.items()
    }


def _encoder_seconds(bench: PassBench, frame: Picture) -> float:
    """Time the whole encoder on the edge, as `on_device` runs it."""
    network = bench.networks.network("original")
    synchronise = synchroniser(network.pixel_mean.device)
    pixels = preprocess(network, to_uint8(frame))
    with without_onednn(), torch.inference_mode():
        synchronise()
        began = time.monotonic()
        network.image_encoder(pixels)
        synchronise()
        return time.monotonic() - began

"""Times of passes and of the mask decoder, as values."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from pedbench.measure.bench import Bench, Outcome, Row
from pedbench.offload.passes import Pass
from pedbench.plan import DefensePlan
from pedbench.types import Sample
from pedbench.utility.prediction import predict


def timing(done: Pass, image: str) -> list[Row]:
    """Seconds by phase and, where the servers did not take turns, bytes by server."""
    metric = "turn-taking" if done.composed else "wall"
    times = done.times
    phases = {
        "end to end": times.total,
        "prepare": times.prepare,
        "uplink": times.uplink,
        "slowest server": times.server,
        "downlink": times.downlink,
        "edge": times.edge,
    }
    rows = [{"image": image, "metric": metric, "region": phase, "value": s} for phase, s in phases.items()]
    if not done.composed:
        for exchange in done.exchanges:
            for metric, value in (("bytes up", exchange.bytes_up), ("bytes down", exchange.bytes_down)):
                rows.append(
                    {"image": image, "metric": metric, "servers": str(exchange.server), "value": value}
                )
    return rows


def decoder_time(done: Pass, sample: Sample) -> list[Row]:
    """One prompt through the mask decoder: what a user waits for after the embedding is there."""
    height, width = sample.image.shape[:2]
    began = time.monotonic()
    predict(done.embedding, (height, width), points=np.array([[[width / 2, height / 2]]]))
    seconds = time.monotonic() - began
    return [{"image": sample.id, "metric": "wall", "region": "decoder", "value": seconds}]


def warm_up(bench: Bench, of: DefensePlan, sample: Sample) -> None:
    """Run one pass and one prompt, and drop what comes of it."""
    decoder_time(bench.run(of, sample, bench.frame(sample)), sample)


def time_turns(bench: Bench, of: DefensePlan, images: Sequence[int], threads: int) -> Outcome:
    """Time passes again while servers take turns on the whole host; see `timing.turn_times`.

    Args:
        threads: Threads of the server whose turn it is.
    """
    outcome = Outcome()
    if of.latency is None:
        return outcome
    bench.servers.set_mode(turns=True, threads=threads)
    try:
        for index in images:
            sample = bench.plan.dataset[index]
            done = bench.run(of, sample, bench.frame(sample))
            outcome.rows[of.latency.cell_id] += timing(done, sample.id)
    # As with the passes that are scored.
    except Exception as error:
        outcome.spoil([of.latency], "failed", f"taking turns: {type(error).__name__}: {error}")
    return outcome

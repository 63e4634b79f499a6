"""Times of passes and of the mask decoder, as values."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from pedbench.measure.bench import DegradedPass, Outcome, PassBench, Row
from pedbench.network.links import Link
from pedbench.offload.passes.run_pass import Pass
from pedbench.offload.passes.timing import PassTimes
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan
from pedbench.types import Sample
from pedbench.utility.prediction import predict


def way(done: Pass) -> str:
    """How a pass was timed; the two are never mixed."""
    return "turn-taking" if done.composed else "wall"


def timing(done: Pass, times: PassTimes, image: str, link: Link | None = None) -> list[Row]:
    """Seconds by phase and, where the servers did not take turns, bytes by server.

    Args:
        link: The one that `times` were composed for, where servers took turns.

    Raises:
        DegradedPass: The edge did what servers should have done.
    """
    if done.lost:
        raise DegradedPass(f"not timed, as the edge did the work of others: {'; '.join(done.lost.values())}")
    metric, seconds = way(done), phases(times, done.lower_bound(link))
    rows = [{"image": image, "metric": metric, "region": phase, "value": s} for phase, s in seconds.items()]
    if not done.composed:
        for exchange in done.exchanges:
            for metric, value in (("bytes up", exchange.bytes_up), ("bytes down", exchange.bytes_down)):
                rows.append(
                    {"image": image, "metric": metric, "servers": str(exchange.server), "value": value}
                )
    return rows


def phases(times: PassTimes, least: float) -> dict[str, float]:
    """Seconds by phase of a pass, as they are named in results.

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


def decoder_time(done: Pass, sample: Sample) -> list[Row]:
    """One prompt through the mask decoder: what a user waits for after the embedding is there."""
    height, width = sample.image.shape[:2]
    began = time.monotonic()
    predict(done.embedding, (height, width), points=np.array([[[width / 2, height / 2]]]))
    seconds = time.monotonic() - began
    return [{"image": sample.id, "metric": way(done), "region": "decoder", "value": seconds}]


def warm_up(bench: PassBench, of: DefensePlan, sample: Sample) -> None:
    """Run one pass and one prompt, and drop what comes of it."""
    decoder_time(bench.warm_up(of, sample), sample)


def time_links(
    bench: PassBench,
    of: DefensePlan,
    images: Sequence[int],
    cells: Iterable[tuple[Link, Cell]],
    *,
    advance: Callable[[int], None] = lambda steps: None,
    more: Callable[[Pass, str], list[Row]] = lambda done, image: [],
) -> Outcome:
    """Time passes over links.

    Args:
        cells: The links, each with the cell to fill.
        advance: Called with 1 after each pass.
        more: Further values of a pass over a picture.
    """
    outcome = Outcome()
    for link, cell in cells:
        with outcome.giving_up([cell], f"over {link.name}"):
            for index in images:
                sample = bench.plan.dataset[index]
                done = bench.run(of, sample, bench.frame(sample), link=link)
                rows = timing(done, done.times(), sample.id)
                outcome.rows[cell.cell_id] += [*rows, *more(done, sample.id), *decoder_time(done, sample)]
                advance(1)
    return outcome


def time_turns(
    bench: PassBench,
    of: DefensePlan,
    images: Sequence[int],
    wanted: Collection[str],
    threads: int,
    advance: Callable[[int], None] = lambda steps: None,
    keep: Callable[[Pass, Sample, float], None] = lambda done, sample, decoder: None,
) -> Outcome:
    """Time passes again while servers take turns on the whole host; see `timing.turn_times`.

    They are measured once, and composed for every link.

    Args:
        wanted: Ids of the cells to fill.
        threads: Threads of the server whose turn it is.
        advance: Called with 1 after each pass.
        keep: Called with each pass, its picture and the seconds of the mask decoder.
    """
    outcome = Outcome()
    timed = [(link, cell) for link, cell in of.latency if cell.cell_id in wanted]
    bench.servers.set_mode(turns=True, threads=threads)
    with outcome.giving_up([cell for _, cell in timed], "taking turns"):
        for index in images:
            sample = bench.plan.dataset[index]
            done = bench.run(of, sample, bench.frame(sample))
            decoder = decoder_time(done, sample)
            keep(done, sample, decoder[0]["value"])
            for link, cell in timed:
                times = done.times(link, bench.link_seed(of, sample, link))
                outcome.rows[cell.cell_id] += [*timing(done, times, sample.id, link), *decoder]
            advance(1)
    return outcome

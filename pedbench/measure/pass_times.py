"""Times of passes and of the mask decoder, as values."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from pedbench.measure.bench import Bench, PassBench
from pedbench.measure.outcome import DegradedPass, Outcome, Row
from pedbench.measure.projected import phases, project
from pedbench.network.links import Link
from pedbench.offload.passes.run_pass import Pass
from pedbench.offload.passes.timeline import timeline
from pedbench.offload.passes.timing import PassTimes
from pedbench.results.summary import MOMENTS
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan
from pedbench.types import Sample
from pedbench.utility.prediction import predict


def way(done: Pass) -> str:
    """Return how a pass was timed; the two ways are never mixed."""
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


def wall_times(bench: Bench, done: Pass, sample: Sample) -> list[Row]:
    """Return all values of a pass that was timed as it is: seconds, bytes, and joules where a meter reads them."""
    rows = [*timing(done, done.times(), sample.id), *_steps(done, sample.id)]
    return [*rows, *bench.power.rows(done, sample.id), *decoder_time(done, sample)]


def _steps(done: Pass, image: str) -> list[Row]:
    """Return the moments at which each step of the pass began and ended; `tag` numbers the steps."""
    return [
        {
            "image": image,
            "metric": metric,
            "region": span.step,
            "servers": "" if span.server is None else str(span.server),
            "tag": str(number),
            "value": moment,
        }
        for number, span in enumerate(timeline(done.rounds, done.clock))
        for metric, moment in zip(MOMENTS, (span.start, span.stop), strict=True)
    ]


def time_links(
    bench: Bench,
    of: DefensePlan,
    images: Sequence[int],
    cells: Iterable[tuple[Link, Cell]],
) -> Outcome:
    """Time passes over links.

    Args:
        cells: The links, each with the cell to fill.
    """
    outcome = Outcome()
    for link, cell in cells:
        with outcome.giving_up([cell], f"over {link.name}"):
            for index in images:
                sample = bench.plan.dataset[index]
                done = bench.run(of, sample, bench.frame(sample), bench.settings(of, sample, link=link))
                outcome.rows[cell.cell_id] += wall_times(bench, done, sample)
    return outcome


def time_turns(
    bench: Bench,
    of: DefensePlan,
    images: Sequence[int],
    wanted: Collection[str],
    threads: int,
) -> Outcome:
    """Time passes again while servers take turns on the whole host; see `timing.turn_times`.

    They are measured once, and composed for every link. Where the suite names devices, they are projected to those,
    too.

    Args:
        wanted: Ids of the cells to fill.
        threads: Threads of the server whose turn it is.
    """
    outcome = Outcome()
    timed = [(link, cell) for link, cell in of.latency if cell.cell_id in wanted]
    bench.servers.set_mode(turns=True, threads=threads)
    with outcome.giving_up([cell for _, cell in timed], "taking turns"):
        for index in images:
            sample = bench.plan.dataset[index]
            frame = bench.frame(sample)
            done = bench.run(of, sample, frame)
            decoder = decoder_time(done, sample)
            seeds = {link: bench.link_seed(of, sample, link) for link, _ in timed}
            projected = project(bench, done, sample, frame, decoder[0]["value"], seeds)
            for link, cell in timed:
                times = done.times(link, seeds[link])
                rows = [*timing(done, times, sample.id, link), *decoder, *projected.get(link, ())]
                outcome.rows[cell.cell_id] += rows
    return outcome

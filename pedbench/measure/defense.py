"""One defense over some pictures: passes first, one at a time and alone, then attacks on what was received."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

import numpy as np

from pedbench.measure.attacks import attack
from pedbench.measure.bench import Bench, Outcome
from pedbench.measure.latency import decoder_time, timing
from pedbench.measure.reception import Reception, receive
from pedbench.offload.edge import Edge
from pedbench.offload.passes import Pass
from pedbench.offload.timing import Clock
from pedbench.plan import DefensePlan
from pedbench.types import Picture, Sample
from pedbench.utility.agreement import Reference, agreement, reference
from pedbench.utility.segmentation import evaluate


def measure(
    bench: Bench,
    of: DefensePlan,
    images: Sequence[int],
    wanted: Collection[str],
    advance: Callable[[int], None],
) -> Outcome:
    """Run a defense over pictures: passes first, one at a time and alone, then attacks on what was received.

    Args:
        bench: Shared resources.
        of: The defense and its cells.
        images: Indices into the dataset.
        wanted: Ids of the cells to fill; others are left alone.
        advance: Called with 1 after each picture's pass.
    """
    outcome = Outcome()
    cells = [cell for cell in of.cells() if cell.cell_id in wanted]
    attacked: list[Reception] = []
    for index in images:
        sample = bench.plan.dataset[index]
        began = time.monotonic()
        try:
            found = _one_picture(bench, of, sample, wanted, outcome)
        # Whatever a defense raises, its cells fail with the reason, and the run goes on with the others.
        except Exception as error:
            outcome.spoil(cells, "failed", f"picture {sample.id}: {type(error).__name__}: {error}")
            return outcome
        outcome.seconds["passes"] += time.monotonic() - began
        if found is not None:
            attacked.append(found)
        advance(1)
    began = time.monotonic()
    attack(bench, of, attacked, wanted, outcome)
    outcome.seconds["attacks"] += time.monotonic() - began
    return outcome


def _one_picture(
    bench: Bench, of: DefensePlan, sample: Sample, wanted: Collection[str], outcome: Outcome
) -> Reception | None:
    frame = bench.frame(sample)
    private = [cell for cell in of.cells() if cell.kind == "privacy" and cell.cell_id in wanted]
    requests = max([1, *(cell.requests or 1 for cell in private)])
    passes = [bench.run(of, sample, frame, request) for request in range(requests)]
    first = passes[0]
    _utility(bench, of, sample, frame, first, wanted, outcome)
    if of.latency is not None and of.latency.cell_id in wanted:
        outcome.rows[of.latency.cell_id] += [*timing(first, sample.id), *decoder_time(first, sample)]
    if not private:
        return None
    return receive(bench, of, sample, frame, passes, private, outcome)


def _utility(
    bench: Bench,
    of: DefensePlan,
    sample: Sample,
    frame: Picture,
    done: Pass,
    wanted: Collection[str],
    outcome: Outcome,
) -> None:
    size = (frame.shape[0], frame.shape[1])
    window = bench.grid.window * bench.grid.patch
    for choice, cell in of.utility:
        if cell.cell_id not in wanted:
            continue
        if bench.plan.dataset.annotated:
            rows = evaluate(
                done.embedding,
                sample,
                frame=size,
                window=window,
                protocol=choice.protocol,
                prompts=choice.prompts,
            )
        else:
            rows = agreement(done.embedding, _reference(bench, sample, frame), frame=size, window=window)
        outcome.rows[cell.cell_id] += [
            {
                "image": sample.id,
                "annotation": row["annotation"],
                "metric": row["metric"],
                "value": row["value"],
                "tag": f"{row['size']} cut" if row["cut"] else row["size"],
            }
            for row in rows
        ]


def _reference(bench: Bench, sample: Sample, frame: Picture) -> Reference:
    if sample.id not in bench.references:
        edge = Edge(networks=bench.networks, rng=np.random.default_rng(0), request=0, clock=Clock())
        original = (sample.image.shape[0], sample.image.shape[1])
        bench.references[sample.id] = reference(edge.encode_image(frame), original)
    return bench.references[sample.id]

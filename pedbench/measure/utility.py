"""Masks that come out of a pass, scored: utility as values."""

from __future__ import annotations

import numpy as np

from pedbench.host.determinism import without_onednn
from pedbench.measure.bench import Bench
from pedbench.measure.outcome import Outcome
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.run_pass import Pass
from pedbench.offload.passes.timing import Clock
from pedbench.suites.cell import Cell
from pedbench.suites.schema import UtilityChoice
from pedbench.types import Picture, Sample
from pedbench.utility.agreement import Reference, agreement, reference
from pedbench.utility.segmentation import evaluate


def score_masks(
    bench: Bench,
    choice: UtilityChoice,
    cell: Cell,
    sample: Sample,
    frame: Picture,
    done: Pass,
    outcome: Outcome,
) -> None:
    """Add what the masks of a pass are worth under a protocol to the values of a cell."""
    size = (frame.shape[0], frame.shape[1])
    window = bench.grid.window * bench.grid.patch
    if not done.embedding.features.isfinite().all():
        outcome.spoil([cell], "invalid", f"picture {sample.id}: the embedding has values that are not finite")
        return
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
        rows = agreement(done.embedding, undefended(bench, sample, frame), frame=size, window=window)
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


def undefended(bench: Bench, sample: Sample, frame: Picture) -> Reference:
    """What the undefended model sees in a picture, for datasets without annotations."""
    if sample.id not in bench.references:
        edge = Edge(networks=bench.networks, rng=np.random.default_rng(0), request=0, clock=Clock())
        original = (sample.image.shape[0], sample.image.shape[1])
        # As in a pass: the undefended model has to agree with itself.
        with without_onednn():
            embedding = edge.encode_image(frame)
        bench.references[sample.id] = reference(embedding, original)
    return bench.references[sample.id]

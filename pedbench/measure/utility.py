"""Masks that come out of a pass, scored: utility as values."""

from __future__ import annotations

import numpy as np

from pedbench.base import Embedding, Networks
from pedbench.host.determinism import without_onednn
from pedbench.measure.bench import Bench
from pedbench.measure.outcome import InvalidEmbedding, Row
from pedbench.offload.passes.edge import Edge
from pedbench.offload.passes.run_pass import Pass
from pedbench.offload.passes.timing import Clock
from pedbench.suites.schema import UtilityChoice
from pedbench.types import Picture, Sample
from pedbench.utility.agreement import Reference, agreement, reference
from pedbench.utility.segmentation import evaluate


def score_masks(bench: Bench, choice: UtilityChoice, sample: Sample, frame: Picture, done: Pass) -> list[Row]:
    """Return the values of a pass's masks under a protocol.

    Raises:
        InvalidEmbedding: The embedding has values that are not finite.
    """
    size = (frame.shape[0], frame.shape[1])
    window = bench.grid.window * bench.grid.patch
    if not done.embedding.features.isfinite().all():
        raise InvalidEmbedding("the embedding has values that are not finite")
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
    return [
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
    """Masks that the undefended model sees in a picture, for datasets without annotations."""
    if sample.id not in bench.references:
        original = (sample.image.shape[0], sample.image.shape[1])
        bench.references[sample.id] = reference(undefended_embedding(bench.networks, frame), original)
    return bench.references[sample.id]


def undefended_embedding(networks: Networks, frame: Picture) -> Embedding:
    """Embed a frame, (H, W, 3) in [0, 1], with the undefended model on the edge."""
    edge = Edge(networks=networks, rng=np.random.default_rng(0), request=0, clock=Clock())
    # As in a pass: the undefended model has to agree with itself.
    with without_onednn():
        return edge.encode_image(frame)

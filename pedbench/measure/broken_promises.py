"""Audit of what a defense says of its messages, against the messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pedbench.measure.bench import PassBench
from pedbench.measure.seeds import generator
from pedbench.offload.operations.observation import Observation
from pedbench.offload.passes.run_pass import Pass
from pedbench.privacy.disclosure_audit import audit, same_messages
from pedbench.suites.plan import DefensePlan
from pedbench.types import Picture, Sample


def broken_word(
    bench: PassBench,
    planned: DefensePlan,
    sample: Sample,
    frames: Sequence[Picture],
    passes: Sequence[Pass],
    seen: Sequence[Sequence[Observation]],
) -> str:
    """Return why the defense does other than it says; empty if it keeps its word."""
    for frame, done, observations in zip(frames, passes, seen, strict=True):
        found = audit(observations, frame, planned.defense, bench.networks, done.streamed)
        if found.invalid:
            return found.invalid[0]
    if planned.defense.disclosure == "decoy":
        noise = generator(bench.plan.suite.seed, bench.plan.dataset.name, sample.id, "another picture")
        other = (noise.integers(0, 256, frames[0].shape) / 255).astype(np.float32)
        difference = same_messages(passes[0].received, bench.run(planned, sample, other).received)
        if difference:
            return f"a decoy depends on the picture: {difference}"
    return ""

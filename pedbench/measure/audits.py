"""Audits of what a defense, and the authors of its own operations, say of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pedbench.measure.bench import PassBench
from pedbench.measure.seeds import generator
from pedbench.offload.operations.observation import Observation, observe
from pedbench.offload.passes.run_pass import Pass
from pedbench.privacy import authored_content
from pedbench.privacy.authored_content import is_authored
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


def unfaithful_operations(
    bench: PassBench, plan: DefensePlan, sample: Sample, frame: Picture, seen: Sequence[Observation]
) -> str:
    """Return why what a plugin's own operations show is not to be believed; "" if it may be.

    Content that is disclosed exactly is compared with the frame itself.

    Args:
        seen: What servers received of the frame in the first pass.
    """
    if plan.defense.disclosure == "exact":
        return ""

    def repeat(other: Picture) -> Sequence[Observation]:
        received = bench.run(plan, sample, other).received
        return observe(received, bench.servers.operations, bench.networks, (frame.shape[0], frame.shape[1]))

    return authored_content.unfaithful_operations(frame, bench.prior.pictures[0], seen, repeat)


def without_trust(observations: Sequence[Observation], reason: str) -> tuple[Observation, ...]:
    """Return observations of which those of plugins' own operations count as the whole frame."""
    return tuple(replace(each, problem=reason) if is_authored(each) else each for each in observations)

"""Operations of plugins whose authors judge what they show: passes over other pictures that test it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pedbench.measure.bench import PassBench
from pedbench.offload.operations.observation import Observation, observe
from pedbench.privacy import authored_content
from pedbench.privacy.authored_content import is_authored
from pedbench.suites.plan import DefensePlan
from pedbench.types import Picture, Sample


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

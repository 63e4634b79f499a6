"""Operations of plugins whose authors judge what they show: passes over other pictures that test it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pedbench.measure.bench import PassBench
from pedbench.offload.operations.observation import Observation, observe
from pedbench.pictures.frame import to_frame
from pedbench.privacy.authored_content import is_authored, unfaithful, with_other_content, with_other_detail
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
    own = [each for each in seen if is_authored(each)]
    if not own or plan.defense.disclosure == "exact":
        return ""
    another = to_frame(bench.prior.pictures[0], max(frame.shape[:2]))
    for other, detail in ((with_other_content(frame, another), False), (with_other_detail(frame), True)):
        done = bench.run(plan, sample, other)
        repeated = observe(
            done.received, bench.servers.operations, bench.networks, (frame.shape[0], frame.shape[1])
        )
        shown = [each for each in repeated if is_authored(each)]
        if reason := unfaithful((frame, other), (own, shown), detail=detail):
            return f"{own[0].message.operation}: {reason}"
    return ""


def without_trust(observations: Sequence[Observation], reason: str) -> tuple[Observation, ...]:
    """Return observations of which those of plugins' own operations count as the whole frame."""
    return tuple(replace(each, problem=reason) if is_authored(each) else each for each in observations)

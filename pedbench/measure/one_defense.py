"""One defense over some pictures: passes first, one at a time and alone, then attacks on what was received."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from pedbench.errors import AuditError
from pedbench.measure.attacks import attack
from pedbench.measure.bench import Bench
from pedbench.measure.claims import read_claims
from pedbench.measure.dishonest_servers import let_lie
from pedbench.measure.exhibits import exhibit_guesses, exhibit_masks, is_exhibited
from pedbench.measure.outcome import Outcome
from pedbench.measure.pass_times import wall_times
from pedbench.measure.utility import score_masks, undefended
from pedbench.measure.views import Reception, receive
from pedbench.offload.passes.run_pass import Pass
from pedbench.privacy.disclosure_audit import same_messages
from pedbench.suites.cell import Cell
from pedbench.suites.plan import DefensePlan
from pedbench.types import Picture, Sample
from pedbench.validity.flags import DEGRADED


def measure(
    bench: Bench,
    of: DefensePlan,
    images: Sequence[int],
    wanted: Collection[str],
    advance: Callable[[int], None],
) -> Outcome:
    """Run a defense over pictures: passes first, one at a time and alone, then attacks and probes.

    Args:
        bench: Shared resources.
        of: The defense and its cells.
        images: Indices into the dataset.
        wanted: Ids of the cells to fill; others are left alone.
        advance: Called with 1 after each picture's pass.
    """
    outcome = Outcome()
    attacked: list[Reception] = []
    for index in images:
        left = [
            cell for cell in of.cells() if cell.cell_id in wanted and cell.cell_id not in outcome.problems
        ]
        if not left:
            break
        with outcome.giving_up(left, f"picture {bench.plan.dataset.ids()[index]}"):
            with bench.profile.stage("decoding pictures"):
                sample = bench.plan.dataset[index]
            found = _one_picture(bench, of, sample, left, outcome)
            if found is not None:
                attacked.append(found)
        advance(1)
    guessed = attack(bench, of, attacked, wanted, outcome)
    with bench.profile.stage("exhibits"):
        for place, item in enumerate(attacked):
            if is_exhibited(bench, item.sample):
                exhibit = exhibit_guesses(bench, of, item, place, guessed, outcome)
                outcome.exhibits += [exhibit] if exhibit is not None else []
    with bench.profile.stage("probes", workers=1) as stage:
        read_claims(bench, of, attacked, guessed, wanted, outcome, stage)
    return outcome


def _one_picture(
    bench: Bench, of: DefensePlan, sample: Sample, cells: Collection[Cell], outcome: Outcome
) -> Reception | None:
    private = [cell for cell in cells if cell.kind == "privacy"]
    requests = max([1, *(cell.requests or 1 for cell in private)])
    frames = [bench.frame(sample, request) for request in range(requests)]
    with bench.profile.stage("passes"):
        passes = _passes(bench, of, sample, frames)
    frame, first = frames[0], passes[0]
    if any(done.lost for done in passes):
        outcome.flag(private, DEGRADED)
    if first.lost:
        outcome.flag([cell for cell in cells if cell.kind == "utility"], DEGRADED)
    for choice, cell in of.utility:
        if cell in cells:
            with outcome.giving_up([cell], f"picture {sample.id}"), bench.profile.stage("utility"):
                score_masks(bench, choice, cell, sample, frame, first, outcome)
    scored = [cell for _, cell in of.utility if cell in cells and cell.cell_id not in outcome.problems]
    if scored and is_exhibited(bench, sample):
        with outcome.giving_up(scored, f"picture {sample.id}"), bench.profile.stage("exhibits"):
            clicked = None if bench.plan.dataset.annotated else undefended(bench, sample, frame)
            outcome.exhibits.append(exhibit_masks(of, sample, frame, first, clicked))
    # Without servers there is no link that could make a difference.
    timed = [cell for link, cell in of.latency if link == first.link or not of.defense.servers]
    timed = [cell for cell in timed if cell in cells]
    if timed:
        with outcome.giving_up(timed, f"picture {sample.id}"), bench.profile.stage("mask decoder, timed"):
            rows = wall_times(bench, first, sample)
            for cell in timed:
                outcome.rows[cell.cell_id] += rows
    let_lie(bench, of, sample, frame, cells, outcome)
    if private:
        with outcome.giving_up(private, f"picture {sample.id}"), bench.profile.stage("audit and views"):
            return receive(bench, of, sample, frames, passes, private, outcome)
    return None


def _passes(bench: Bench, of: DefensePlan, sample: Sample, frames: Sequence[Picture]) -> list[Pass]:
    """One pass a request.

    A defense without chance sends the same of a still scene each time. A second pass has to show it, and stands for all
    that would follow.

    Raises:
        AuditError: It does not.
    """
    alike = not of.defense.randomised and not sample.later
    passes = [
        bench.run(of, sample, frame, request)
        for request, frame in enumerate(frames[: 2 if alike else len(frames)])
    ]
    if not alike or len(frames) < 2:
        return passes
    first, second = passes
    if first.lost or second.lost:
        return [*passes, *(bench.run(of, sample, frames[n], n) for n in range(2, len(frames)))]
    if differ := same_messages(first.received, second.received):
        raise AuditError(f"two requests with the same picture differ, and randomised is False: {differ}")
    return [*passes, *(_repeated(second, request) for request in range(2, len(frames)))]


def _repeated(done: Pass, request: int) -> Pass:
    """A pass as if its messages had come with another request."""
    return replace(done, received=tuple(replace(message, request=request) for message in done.received))

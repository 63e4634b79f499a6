"""One defense over some pictures: passes first, one at a time and alone, then attacks on what was received."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from pedbench.errors import AuditError
from pedbench.measure.attacks import attack, portions
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
    plan: DefensePlan,
    images: Sequence[int],
    cell_ids: Collection[str],
    advance: Callable[[int], None],
) -> Outcome:
    """Run a defense over pictures: passes first, one at a time and alone, then attacks and probes.

    Args:
        bench: Shared resources.
        plan: The defense and its cells.
        images: Indices into the dataset.
        cell_ids: The cells to fill; others are left alone.
        advance: Called with 1 after each picture's pass.
    """
    outcome = Outcome()
    attacked: list[Reception] = []
    for index in images:
        cells = [
            cell for cell in plan.cells() if cell.cell_id in cell_ids and cell.cell_id not in outcome.problems
        ]
        if not cells:
            break
        with outcome.giving_up(cells, f"picture {bench.plan.dataset.ids()[index]}"):
            with bench.profile.stage("decoding pictures"):
                sample = bench.plan.dataset[index]
            requests = max([1, *(cell.requests or 1 for cell in cells if cell.kind == "privacy")])
            frames = [bench.frame(sample, request) for request in range(requests)]
            passes: list[Pass] = []
            with bench.profile.stage("passes"):
                repeats = False
                for request, frame in enumerate(frames):
                    if repeats:
                        passes.append(_repeated(passes[1], request))
                    else:
                        settings = bench.settings(plan, sample, request=request)
                        passes.append(bench.run(plan, sample, frame, settings))
                        repeats = _repeats(plan, sample, passes)
            _score(bench, plan, sample, frames[0], passes, cells, outcome)
            let_lie(bench, plan, sample, frames[0], cells, outcome)
            private = [cell for cell in cells if cell.kind == "privacy"]
            if private:
                with (
                    outcome.giving_up(private, f"picture {sample.id}"),
                    bench.profile.stage("audit and views"),
                ):
                    received = receive(bench, plan, sample, frames, passes, private, outcome)
                    attacked += [received] if received is not None else []
        advance(1)
    for portion in portions(attacked):
        guessed = attack(bench, plan, portion, cell_ids, outcome)
        with bench.profile.stage("exhibits"):
            for place, item in enumerate(portion):
                if is_exhibited(bench, item.sample):
                    exhibit = exhibit_guesses(bench, plan, item, place, guessed, outcome)
                    outcome.exhibits += [exhibit] if exhibit is not None else []
        with bench.profile.stage("probes", workers=1) as stage:
            read_claims(bench, plan, portion, guessed, cell_ids, outcome, stage)
    return outcome


def _score(
    bench: Bench,
    plan: DefensePlan,
    sample: Sample,
    frame: Picture,
    passes: Sequence[Pass],
    cells: Collection[Cell],
    outcome: Outcome,
) -> None:
    """Add the utility and the times of a picture's first pass, and flag what lost servers spoil."""
    first = passes[0]
    if any(done.lost for done in passes):
        outcome.flag([cell for cell in cells if cell.kind == "privacy"], DEGRADED)
    if first.lost:
        outcome.flag([cell for cell in cells if cell.kind == "utility"], DEGRADED)
    for choice, cell in plan.utility:
        if cell in cells:
            with outcome.giving_up([cell], f"picture {sample.id}"), bench.profile.stage("utility"):
                outcome.rows[cell.cell_id] += score_masks(bench, choice, sample, frame, first)
    scored = [cell for _, cell in plan.utility if cell in cells and cell.cell_id not in outcome.problems]
    if scored and is_exhibited(bench, sample):
        with outcome.giving_up(scored, f"picture {sample.id}"), bench.profile.stage("exhibits"):
            clicked = None if bench.plan.dataset.annotated else undefended(bench, sample, frame)
            outcome.exhibits.append(exhibit_masks(plan, sample, frame, first, clicked))
    # Without servers there is no link that could make a difference.
    timed = [cell for link, cell in plan.latency if link == first.link or not plan.defense.servers]
    timed = [cell for cell in timed if cell in cells]
    if timed:
        with outcome.giving_up(timed, f"picture {sample.id}"), bench.profile.stage("mask decoder, timed"):
            rows = wall_times(bench, first, sample)
            for cell in timed:
                outcome.rows[cell.cell_id] += rows


def _repeats(plan: DefensePlan, sample: Sample, passes: Sequence[Pass]) -> bool:
    """Return whether the second pass stands for all further requests.

    A defense without chance sends the same of a still scene each time, as a second pass has to show.

    Raises:
        AuditError: It does not.
    """
    if plan.defense.randomised or sample.later or len(passes) < 2 or any(done.lost for done in passes[:2]):
        return False
    first, second = passes[:2]
    if differ := same_messages(first.received, second.received):
        raise AuditError(f"two requests with the same picture differ, and randomised is False: {differ}")
    return True


def _repeated(done: Pass, request: int) -> Pass:
    """Return a pass as if its messages had come with another request."""
    return replace(done, received=tuple(replace(message, request=request) for message in done.received))

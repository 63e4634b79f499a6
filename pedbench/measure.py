"""The unit of work: one defense over some pictures, measured on all three axes. Gives values, never records."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pedbench.attack_pool import AttackPool
from pedbench.audit import audit, same_messages, visible_mask
from pedbench.base import Attack, Networks
from pedbench.cell import Cell, CoalitionRule
from pedbench.exposure import exposed_shares
from pedbench.frame import mask_to_frame, to_frame
from pedbench.isolation import AttackFailure
from pedbench.models.stages import window_grid
from pedbench.observe import Observation, build_view, coalitions, content_shares, footprints, observe
from pedbench.offload.passes import Pass, run_pass
from pedbench.offload.virtual import VirtualServers
from pedbench.plan import DefensePlan, Plan, Planned
from pedbench.scoring import Score, score, score_blind
from pedbench.seeds import generator, torch_seed
from pedbench.types import Mask, Picture, Prior, Sample, Status, View
from pedbench.utility.agreement import Reference, agreement, reference
from pedbench.utility.segmentation import evaluate, predict, size_class
from pedbench.view_io import view_to_bytes

Row = dict[str, Any]
"""One value; its keys are columns of `values.SCHEMA`."""


@dataclass(kw_only=True)
class Bench:
    """What a run's measurements share: loaded once, used for every defense.

    Attributes:
        networks: The edge's models, which are public.
        servers: As many as any defense calls.
        pool: Processes in which attacks run.
        prior: What attackers know of pictures in general.
    """

    plan: Plan
    networks: Networks
    servers: VirtualServers
    pool: AttackPool
    prior: Prior
    blind: dict[str, dict[str, float]] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)


@dataclass(kw_only=True)
class Outcome:
    """What became of some cells on some pictures.

    Attributes:
        rows: Values by cell id.
        problems: Status and reason of the cells that cannot be finished, by cell id.
        flags: Soundness flags by cell id.
        seconds: Time by stage.
    """

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    problems: dict[str, tuple[Status, str]] = field(default_factory=dict)
    flags: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def spoil(self, cells: Iterable[Cell], status: Status, reason: str) -> None:
        """Give cells up; the first reason stays."""
        for cell in cells:
            self.problems.setdefault(cell.cell_id, (status, reason))
            self.rows.pop(cell.cell_id, None)


@dataclass(kw_only=True)
class _Attacked:
    """One picture as the privacy axis needs it after the passes are over."""

    sample: Sample
    frame: Picture
    views: dict[tuple[int, ...], View]
    visible: dict[tuple[int, ...], Mask]
    subsets: dict[CoalitionRule, tuple[tuple[int, ...], ...]]


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
    attacked: list[_Attacked] = []
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
    _attack(bench, of, attacked, wanted, outcome)
    outcome.seconds["attacks"] += time.monotonic() - began
    return outcome


def _one_picture(
    bench: Bench, of: DefensePlan, sample: Sample, wanted: Collection[str], outcome: Outcome
) -> _Attacked | None:
    side = bench.networks.network("original").image_encoder.img_size
    frame = to_frame(sample.image, side)
    private = [cell for cell in of.cells() if cell.kind == "privacy" and cell.cell_id in wanted]
    requests = max([1, *(cell.requests or 1 for cell in private)])
    passes = [_pass(bench, of, sample, frame, request) for request in range(requests)]
    first = passes[0]
    _utility(bench, of, sample, frame, first, wanted, outcome)
    if of.latency is not None and of.latency.cell_id in wanted:
        outcome.rows[of.latency.cell_id] += [*_timing(first, sample.id), *_decoder_time(first, sample)]
    if not private:
        return None
    return _receive(bench, of, sample, frame, passes, private, outcome)


def _pass(bench: Bench, of: DefensePlan, sample: Sample, frame: Picture, request: int) -> Pass:
    rng = generator(bench.plan.suite.seed, bench.plan.dataset.name, sample.id, of.defense.label, request)
    return run_pass(of.defense, frame, bench.servers, bench.networks, rng, request=request)


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
    grid = window_grid(bench.networks.network("original").image_encoder)
    window = grid.window * grid.patch
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
        from pedbench.offload.edge import Edge
        from pedbench.offload.timing import Clock

        edge = Edge(networks=bench.networks, rng=np.random.default_rng(0), request=0, clock=Clock())
        original = (sample.image.shape[0], sample.image.shape[1])
        bench.references[sample.id] = reference(edge.encode_image(frame), original)
    return bench.references[sample.id]


def _timing(done: Pass, image: str) -> list[Row]:
    metric = "turn-taking" if done.composed else "wall"
    times = done.times
    phases = {
        "end to end": times.total,
        "prepare": times.prepare,
        "uplink": times.uplink,
        "slowest server": times.server,
        "downlink": times.downlink,
        "edge": times.edge,
    }
    rows = [{"image": image, "metric": metric, "region": phase, "value": s} for phase, s in phases.items()]
    if not done.composed:
        for exchange in done.exchanges:
            for metric, value in (("bytes up", exchange.bytes_up), ("bytes down", exchange.bytes_down)):
                rows.append({"image": image, "metric": metric, "servers": str(exchange.server), "value": value})
    return rows


def _decoder_time(done: Pass, sample: Sample) -> list[Row]:
    """One prompt through the mask decoder: what a user waits for after the embedding is there."""
    height, width = sample.image.shape[:2]
    began = time.monotonic()
    predict(done.embedding, (height, width), points=np.array([[[width / 2, height / 2]]]))
    seconds = time.monotonic() - began
    return [{"image": sample.id, "metric": "wall", "region": "decoder", "value": seconds}]


def warm_up(bench: Bench, of: DefensePlan, sample: Sample) -> None:
    """Run one pass and one prompt, and drop what comes of it."""
    frame = to_frame(sample.image, bench.networks.network("original").image_encoder.img_size)
    _decoder_time(_pass(bench, of, sample, frame, 0), sample)


def time_turns(bench: Bench, of: DefensePlan, images: Sequence[int], threads: int) -> Outcome:
    """Time passes again while servers take turns on the whole host; see `timing.turn_times`.

    Args:
        threads: Threads of the server whose turn it is.
    """
    outcome = Outcome()
    if of.latency is None:
        return outcome
    bench.servers.set_mode(turns=True, threads=threads)
    try:
        for index in images:
            sample = bench.plan.dataset[index]
            frame = to_frame(sample.image, bench.networks.network("original").image_encoder.img_size)
            outcome.rows[of.latency.cell_id] += _timing(_pass(bench, of, sample, frame, 0), sample.id)
    # As with the passes that are scored.
    except Exception as error:
        outcome.spoil([of.latency], "failed", f"taking turns: {type(error).__name__}: {error}")
    return outcome


def _receive(
    bench: Bench,
    of: DefensePlan,
    sample: Sample,
    frame: Picture,
    passes: Sequence[Pass],
    private: Sequence[Cell],
    outcome: Outcome,
) -> _Attacked | None:
    size = (frame.shape[0], frame.shape[1])
    operations = bench.servers.operations
    seen = [observe(done.received, operations, bench.networks, size) for done in passes]
    invalid = _broken_word(bench, of, sample, frame, passes, seen)
    if invalid:
        outcome.spoil(private, "invalid", f"picture {sample.id}: {invalid}")
        return None
    everything = tuple(observation for observations in seen for observation in observations)
    whole = any(observation.problem for observation in everything)
    covered = footprints(seen[0], of.defense.servers, size)
    rules = {cell.coalition for cell in private if cell.coalition is not None}
    subsets = {rule: coalitions(covered, _size(rule, of.defense.servers), rule.m) for rule in rules}
    views, visible = {}, {}
    for subset in sorted({subset for chosen in subsets.values() for subset in chosen}):
        views[subset] = build_view(
            everything,
            subset,
            frame_size=size,
            disclosure=of.defense.disclosure,
            description=_description(bench, of),
            prior=bench.prior,
        )
        problem = any(o.problem for o in everything if o.message.server in subset)
        visible[subset] = np.ones(size, np.bool_) if problem else visible_mask(views[subset], frame)
    if whole:
        for cell in private:
            outcome.flags[cell.cell_id].add("unexplained bytes")
    for cell in of.geometry:
        if cell.cell_id in {wanted.cell_id for wanted in private} and cell.coalition is not None:
            outcome.rows[cell.cell_id] += _geometry(
                sample, size, covered, [(s, visible[s]) for s in subsets[cell.coalition]]
            )
    return _Attacked(sample=sample, frame=frame, views=views, visible=visible, subsets=subsets)


def _broken_word(
    bench: Bench,
    of: DefensePlan,
    sample: Sample,
    frame: Picture,
    passes: Sequence[Pass],
    seen: Sequence[Sequence[Observation]],
) -> str:
    """Why the defense does other than it says; empty if it keeps its word."""
    for done, observations in zip(passes, seen, strict=True):
        found = audit(observations, frame, of.defense, bench.networks, done.streamed)
        if found.invalid:
            return found.invalid[0]
    if of.defense.disclosure == "decoy":
        noise = generator(bench.plan.suite.seed, bench.plan.dataset.name, sample.id, "another picture")
        other = (noise.integers(0, 256, frame.shape) / 255).astype(np.float32)
        difference = same_messages(passes[0].received, _pass(bench, of, sample, other, 0).received)
        if difference:
            return f"a decoy depends on the picture: {difference}"
    return ""


def _size(rule: CoalitionRule, servers: int) -> int:
    return max(1, servers) if rule.c == "N" else rule.c


def _description(bench: Bench, of: DefensePlan) -> dict[str, Any]:
    identity = of.planned.identity
    return {
        "defense": identity.name,
        "version": identity.version,
        "params": dict(identity.params),
        "family": bench.plan.family.name,
        "servers": of.defense.servers,
    }


def _geometry(
    sample: Sample, size: tuple[int, int], covered: Any, visible: Sequence[tuple[tuple[int, ...], Mask]]
) -> list[Row]:
    rows: list[Row] = [
        {
            "image": sample.id,
            "metric": "visible share",
            "servers": _joined(subset),
            "value": float(mask.mean()),
        }
        for subset, mask in visible
    ]
    for server, share in enumerate(content_shares(covered)):
        rows.append(
            {"image": sample.id, "metric": "content share", "servers": str(server), "value": share}
        )
    instances = {item.id: mask_to_frame(item.mask, size) for item in sample.instances if not item.crowd}
    sizes = {item.id: size_class(item.area) for item in sample.instances}
    for annotation, share in exposed_shares(instances, [mask for _, mask in visible]).items():
        rows.append(
            {
                "image": sample.id,
                "annotation": annotation,
                "metric": "exposure",
                "value": share,
                "tag": sizes[annotation],
            }
        )
    return rows


def _joined(subset: tuple[int, ...]) -> str:
    return "+".join(str(server) for server in subset)


def _attack(
    bench: Bench, of: DefensePlan, attacked: Sequence[_Attacked], wanted: Collection[str], outcome: Outcome
) -> None:
    """Let every wanted attack guess every picture from every coalition's view, and score the guesses."""
    if not attacked:
        return
    cells = [(planned, cell) for planned, cell in of.privacy if cell.cell_id in wanted]
    cells = [(planned, cell) for planned, cell in cells if cell.cell_id not in outcome.problems]
    needed = {planned.plugin.label: planned for planned, _ in cells}
    # Floors are the reference of every other attack, whether or not their own cells are wanted.
    needed |= {planned.plugin.label: planned for planned in bench.plan.attacks if planned.plugin.floor}
    fit = {label: _fitting(planned.plugin, attacked) for label, planned in needed.items()}
    for planned, cell in cells:
        if not fit[planned.plugin.label]:
            needs = ", ".join(sorted(planned.plugin.needs))
            outcome.spoil([cell], "skipped", f"{planned.plugin.name} needs {needs}, of which nothing was received")
    _floor_distances(bench, attacked)
    # A control asks whether an attack does better with a decoy than with nothing.
    unseeing = _blind(bench, attacked, needed) if of.defense.disclosure == "decoy" else None
    guesses = _guesses(bench, of, attacked, needed, fit)
    failures = {label: str(error) for label, found in guesses.items() if isinstance(error := found, AttackFailure)}
    for planned, cell in cells:
        if planned.plugin.label in failures:
            outcome.spoil([cell], "failed", failures[planned.plugin.label])
    floors = {planned.plugin.label for planned in bench.plan.attacks if planned.plugin.floor} - set(failures)
    for place, item in enumerate(attacked):
        for subset in item.views:
            pictures = {
                label: found[place, subset]
                for label, found in guesses.items()
                if not isinstance(found, AttackFailure) and (place, subset) in found
            }
            scores = score(
                item.frame,
                item.visible[subset],
                pictures,
                bench.blind[item.sample.id],
                floors,
                bench.plan.metrics,
                unseeing[place] if unseeing is not None else None,
            )
            _enter(scores, item, subset, cells, outcome)


def _enter(
    scores: Sequence[Score],
    item: _Attacked,
    subset: tuple[int, ...],
    cells: Sequence[tuple[Planned, Cell]],
    outcome: Outcome,
) -> None:
    for planned, cell in cells:
        if cell.cell_id in outcome.problems or cell.coalition is None:
            continue
        if subset in item.subsets[cell.coalition]:
            outcome.rows[cell.cell_id] += [
                {
                    "image": item.sample.id,
                    "region": found.region,
                    "servers": _joined(subset),
                    "metric": found.metric,
                    "value": found.value,
                }
                for found in scores
                if found.attack == planned.plugin.label
            ]


def _fitting(attack: Attack, attacked: Sequence[_Attacked]) -> set[tuple[int, tuple[int, ...]]]:
    """The views that hold something that the attack can use, as place among the pictures and coalition."""
    return {
        (place, subset)
        for place, item in enumerate(attacked)
        for subset, view in item.views.items()
        if attack.needs & _offers(view)
    }


def _offers(view: View) -> set[str]:
    kinds = {
        "pixels": view.patches,
        "degraded": view.degraded,
        "tokens": view.tokens,
        "metadata": view.messages,
    }
    return {"nothing"} | {kind for kind, held in kinds.items() if held}


def _guesses(
    bench: Bench,
    of: DefensePlan,
    attacked: Sequence[_Attacked],
    needed: dict[str, Planned],
    fit: dict[str, set[tuple[int, tuple[int, ...]]]],
) -> dict[str, dict[tuple[int, tuple[int, ...]], Picture] | AttackFailure]:
    """Guesses by attack. No call holds two views of one picture, as an attack could put them together."""
    data = {
        (place, subset): view_to_bytes(view)
        for place, item in enumerate(attacked)
        for subset, view in item.views.items()
    }
    jobs = []
    for label, planned in needed.items():
        rounds: list[list[tuple[int, tuple[int, ...]]]] = []
        for key in sorted(fit[label]):
            later = next((r for r in rounds if key[0] not in {place for place, _ in r}), None)
            if later is None:
                rounds.append(later := [])
            later.append(key)
        for keys in rounds:
            seeds = [
                _attack_seed(bench, attacked[place].sample.id, f"{label} on {of.defense.label} {_joined(subset)}")
                for place, subset in keys
            ]
            jobs.append((label, keys, bench.pool.submit(planned.spec, [data[key] for key in keys], seeds)))
    result: dict[str, Any] = {label: {} for label in needed}
    for label, keys, job in jobs:
        try:
            pictures = job.result().pictures
        except AttackFailure as error:
            result[label] = error
        else:
            if not isinstance(result[label], AttackFailure):
                result[label] |= dict(zip(keys, pictures, strict=True))
    return result


def _attack_seed(bench: Bench, image: str, component: str) -> int:
    return torch_seed(bench.plan.suite.seed, bench.plan.dataset.name, image, component)


def _blind(
    bench: Bench, attacked: Sequence[_Attacked], needed: dict[str, Planned]
) -> list[dict[str, Picture]]:
    """What attacks guess of each picture's frame when they received nothing of it."""
    views = [
        view_to_bytes(View(frame_size=(item.frame.shape[0], item.frame.shape[1]), prior=bench.prior))
        for item in attacked
    ]
    jobs = {}
    for label, planned in needed.items():
        seeds = [_attack_seed(bench, item.sample.id, f"{label}, blind") for item in attacked]
        jobs[label] = bench.pool.submit(planned.spec, views, seeds)
    found = {label: job.result().pictures for label, job in jobs.items()}
    return [{label: pictures[place] for label, pictures in found.items()} for place in range(len(attacked))]


def _floor_distances(bench: Bench, attacked: Sequence[_Attacked]) -> None:
    """How near the best floor comes without any view: once per picture and run."""
    new = [item for item in attacked if item.sample.id not in bench.blind]
    if new:
        floors = {planned.plugin.label: planned for planned in bench.plan.attacks if planned.plugin.floor}
        for item, guesses in zip(new, _blind(bench, new, floors), strict=True):
            bench.blind[item.sample.id] = score_blind(item.frame, guesses, bench.plan.metrics)

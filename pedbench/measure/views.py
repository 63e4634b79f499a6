"""Content that servers received of a picture: checked, shared out to coalitions, and measured as geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from pedbench.adversary.coalitions import Coalition, Holdings, holdings, search
from pedbench.adversary.view import build_view, content_shares, footprints
from pedbench.measure.audits import broken_word, unfaithful_operations, without_trust
from pedbench.measure.bench import Bench, PassBench
from pedbench.measure.outcome import Outcome, Row
from pedbench.offload.operations.observation import Observation, observe
from pedbench.offload.passes.run_pass import Pass
from pedbench.pictures.frame import box_to_frame, mask_to_frame
from pedbench.privacy.exposure import exposed_shares
from pedbench.privacy.visibility import visible_mask
from pedbench.suites.cell import Cell, CoalitionRule
from pedbench.suites.plan import DefensePlan, Plan
from pedbench.types import MOST_COALITIONS, Mask, Picture, Sample, View
from pedbench.utility.segmentation import size_class
from pedbench.validity.families import RECEIVED, received
from pedbench.validity.flags import AUTHORED, CAPPED, UNEXPLAINED, unread

Held = tuple[int, Coalition]
"""Number of requests for a scene that were listened to, and the coalition that did."""


@dataclass(kw_only=True)
class Reception:
    """Views that coalitions hold of one picture, and the truth to score their guesses by.

    Attributes:
        views: By number of requests and coalition.
        visible: Likewise, what was received exactly.
        footprint: Likewise, the pixels that the content belongs to.
        subsets: The coalitions of each rule that are evaluated for this picture, by rule and number of requests.
        worst: Of these, the ones that fast attacks found worst, one per distance; known once those have guessed.
    """

    sample: Sample
    frame: Picture
    views: dict[Held, View]
    visible: dict[Held, Mask]
    footprint: dict[Held, Mask]
    subsets: dict[tuple[CoalitionRule, int], tuple[Coalition, ...]]
    worst: dict[tuple[CoalitionRule, int], tuple[Coalition, ...]] = field(default_factory=dict)

    def coalitions_of(self, cell: Cell) -> tuple[Coalition, ...]:
        """The coalitions that a cell is about; for a slow attack none before fast ones have guessed."""
        if cell.coalition is None:
            return ()
        rule = cell.coalition, cell.requests or 1
        return self.subsets[rule] if cell.scouts is None else self.worst.get(rule, ())


def receive(
    bench: Bench,
    of: DefensePlan,
    sample: Sample,
    frames: Sequence[Picture],
    passes: Sequence[Pass],
    private: Sequence[Cell],
    outcome: Outcome,
) -> Reception | None:
    """Check what the servers received in all passes over a picture, and share it out to coalitions.

    Args:
        frames: One per request; guesses are about the first.
        passes: One per request.
        private: The privacy cells that want it; they are spoiled if the defense does other than it says, and
            the geometry cells among them get their values.

    Returns:
        None if nothing is left to attack.
    """
    frame = frames[0]
    size = (frame.shape[0], frame.shape[1])
    operations = bench.servers.operations
    seen = [observe(done.received, operations, bench.networks, size) for done in passes]
    invalid = broken_word(bench, of, sample, frames, passes, seen)
    if invalid:
        outcome.spoil(private, "invalid", f"picture {sample.id}: {invalid}")
        return None
    if judged := unfaithful_operations(bench, of, sample, frame, seen[0]):
        seen = [without_trust(observations, judged) for observations in seen]
        outcome.flag(private, AUTHORED)
        outcome.distrust |= {cell.cell_id: judged for cell in private}
    found = Reception(sample=sample, frame=frame, views={}, visible={}, footprint={}, subsets={})
    servers = of.defense.servers
    covered = footprints(seen[0], servers, size)
    held: dict[int, Holdings] = {}
    belonging: dict[int, npt.NDArray[np.bool_]] = {}
    for cell in private:
        requests = cell.requests or 1
        if cell.coalition is None or (cell.coalition, requests) in found.subsets:
            continue
        # An attack that asks for k requests gets k, whatever others ask for.
        heard = tuple(observation for observations in seen[:requests] for observation in observations)
        if requests not in held:
            belonging[requests] = footprints(heard, servers, size)
            held[requests] = holdings(heard, frame, belonging[requests])
        c = max(1, servers) if cell.coalition.c == "N" else cell.coalition.c
        found.subsets[cell.coalition, requests] = search(
            held[requests], frame, bench.prior.mean_colour, c, cell.coalition.m
        )
        for subset in found.subsets[cell.coalition, requests]:
            if (requests, subset) not in found.views:
                share_out(bench, of, heard, (requests, subset), found)
                found.footprint[requests, subset] = np.logical_or.reduce(belonging[requests][list(subset)])
    if any(each.problem and each.problem != judged for observations in seen for each in observations):
        for cell in private:
            outcome.flags[cell.cell_id].add(UNEXPLAINED)
    readable = {need for planned in bench.plan.attacks for need in planned.plugin.needs}
    for cell in private:
        if cell.coalition is not None:
            subsets = found.subsets[cell.coalition, cell.requests or 1]
            views = [found.views[cell.requests or 1, subset] for subset in subsets]
            outcome.flags[cell.cell_id] |= unread(views, readable)
            many = cell.coalition.m < comb(len(held[cell.requests or 1].active), len(subsets[0]))
            if many and cell.coalition.m < MOST_COALITIONS:
                outcome.flags[cell.cell_id].add(CAPPED)
    geometric = [cell for cell in private if cell.attack is None and cell.probe is None]
    objects = _objects(sample, size) if geometric else {}
    for cell in geometric:
        if cell.coalition is not None:
            visible = [(subset, found.visible[1, subset]) for subset in found.coalitions_of(cell)]
            outcome.rows[cell.cell_id] += _geometry(sample, size, objects, covered, visible)
            views = [found.views[1, subset] for subset, _ in visible]
            outcome.flags[cell.cell_id] |= {f"{RECEIVED}{kind}" for kind in received(views, of.defense)}
            for subset, _ in visible:
                outcome.rows[cell.cell_id] += _retrieved(bench, sample, found.views[1, subset], subset)
    return found


def share_out(
    bench: PassBench, of: DefensePlan, heard: Sequence[Observation], held: Held, found: Reception
) -> None:
    """Add a coalition's view of what was received to a reception, and which of its pixels are exact."""
    size = (found.frame.shape[0], found.frame.shape[1])
    view = build_view(
        heard,
        held[1],
        frame_size=size,
        disclosure=of.defense.disclosure,
        description=public_description(bench.plan, of),
        prior=bench.prior,
        moves=bool(found.sample.later),
    )
    unexplained = any(o.problem for o in heard if o.message.server in held[1])
    found.views[held] = view
    found.visible[held] = np.ones(size, np.bool_) if unexplained else visible_mask(view, found.frame)


def public_description(plan: Plan, of: DefensePlan) -> dict[str, Any]:
    """Return what everybody knows of a defense: its name, version, parameters and networks."""
    identity = of.planned.identity
    named = dict(plan.family.named)
    return {
        "defense": identity.name,
        "version": identity.version,
        "params": dict(identity.params),
        "family": plan.family.name,
        **({"weights": named} if named else {}),
        "servers": of.defense.servers,
    }


def _objects(sample: Sample, size: tuple[int, int]) -> dict[int, Mask]:
    """Annotated objects as masks of the frame."""
    return {item.id: mask_to_frame(item.mask, size) for item in sample.instances if not item.crowd}


def _geometry(
    sample: Sample,
    size: tuple[int, int],
    objects: Mapping[int, Mask],
    covered: Any,
    visible: Sequence[tuple[tuple[int, ...], Mask]],
) -> list[Row]:
    rows: list[Row] = [
        {
            "image": sample.id,
            "metric": "visible share",
            "servers": joined(subset),
            "value": float(mask.mean()),
        }
        for subset, mask in visible
    ]
    for server, share in enumerate(content_shares(covered)):
        rows.append({"image": sample.id, "metric": "content share", "servers": str(server), "value": share})
    sizes = {item.id: size_class(item.area) for item in sample.instances}
    for annotation, share in exposed_shares(objects, [mask for _, mask in visible]).items():
        rows.append(
            {
                "image": sample.id,
                "annotation": annotation,
                "metric": "exposure",
                "value": share,
                "tag": sizes[annotation],
            }
        )
    original = (sample.image.shape[0], sample.image.shape[1])
    boxes = {index: box_to_frame(secret.box, original, size) for index, secret in enumerate(sample.secrets)}
    for index, share in exposed_shares(boxes, [mask for _, mask in visible]).items():
        rows.append(
            {
                "image": sample.id,
                "annotation": index,
                "metric": "secret exposure",
                "value": share,
                "tag": sample.secrets[index].kind,
            }
        )
    return rows


def _retrieved(bench: Bench, sample: Sample, view: View, subset: tuple[int, ...]) -> list[Row]:
    found = bench.gallery.find_view(sample.id, view) if bench.gallery is not None else None
    if bench.gallery is None or found is None:
        return []
    return [
        {"image": sample.id, "metric": name, "servers": joined(subset), "value": value}
        for name, value in zip(bench.gallery.names(), found, strict=True)
    ]


def joined(subset: tuple[int, ...]) -> str:
    """A coalition as the column `servers` has it."""
    return "+".join(str(server) for server in subset)

"""Exhibits of a run's first pictures: the masks that came out, what the worst coalition saw, what was made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from pedbench.measure.bench import Bench
from pedbench.measure.guesses import Guessed
from pedbench.measure.outcome import Outcome
from pedbench.measure.views import Reception, joined
from pedbench.offload.passes.run_pass import Pass
from pedbench.pictures.frame import mask_to_frame, scale_points, to_frame
from pedbench.pictures.overlays import hatched, overlaid
from pedbench.privacy.claims import planted
from pedbench.results.exhibits import Exhibit, shown_size
from pedbench.suites.plan import DefensePlan
from pedbench.types import Mask, Picture, Sample, View
from pedbench.utility.agreement import Reference
from pedbench.utility.prediction import predict_at
from pedbench.utility.prompts import innermost_pixel
from pedbench.utility.segmentation import clicked_masks, size_class

OBJECTS = 6
"""Number of objects of a picture whose masks are shown, the largest first."""


def is_exhibited(bench: Bench, sample: Sample) -> bool:
    """Whether the picture is among the first ones that the suite wants to show."""
    ids = bench.plan.dataset.ids()
    return sample.id in {ids[index] for index in bench.plan.selection[: bench.plan.suite.exhibits]}


def exhibit_masks(
    of: DefensePlan, sample: Sample, frame: Picture, done: Pass, reference: Reference | None
) -> Exhibit:
    """Show the masks of one click each, of the largest objects.

    Args:
        frame: The sample's.
        done: The defense's pass over it.
        reference: What is clicked where nothing is annotated.
    """
    size = shown_size((frame.shape[0], frame.shape[1]))
    original = (sample.image.shape[0], sample.image.shape[1])
    if reference is None:
        known = [item for item in sample.instances if not item.crowd and size_class(item.area) != "S"]
        largest = sorted(known, key=lambda item: -item.area)[:OBJECTS]
        truths = np.stack([item.mask for item in largest]) if largest else np.zeros((0, *original), bool)
        points = np.array([innermost_pixel(truth) for truth in truths], np.float64).reshape(-1, 2)
        masks = clicked_masks(done.embedding, truths, 1)[0] if largest else truths
    else:
        points = reference.points[:OBJECTS]
        masks = predict_at(done.embedding, original, points) if len(points) else reference.masks
    clicks = [(int(x), int(y)) for x, y in scale_points(points, original, size)]
    shown = overlaid(to_frame(sample.image, max(size)), [mask_to_frame(mask, size) for mask in masks], clicks)
    exhibit = _exhibit(of, sample, frame)
    exhibit.masks = shown
    return exhibit


def exhibit_guesses(
    bench: Bench, of: DefensePlan, item: Reception, place: int, guessed: Guessed, outcome: Outcome
) -> Exhibit | None:
    """Show what one coalition of the suite's first rule held and what attacks made of it.

    Of the coalitions from whose views most attacks guessed, it is the one from which an attack of this run made most,
    by the first leakage that was measured; the one that holds most where there is none.

    Args:
        place: Of the reception among those attacked.
        outcome: With the scores of the guesses.

    Returns:
        None where privacy was not measured.
    """
    rules = [cell.coalition for cell in of.geometry if cell.coalition is not None]
    if not rules or (rules[0], 1) not in item.subsets:
        return None
    rule = rules[0]
    leaked = _leakages(of, item, outcome)

    def prominence(subset: tuple[int, ...]) -> tuple[float, ...]:
        guessing = sum(
            any(at == place and held[1] == subset for at, held in found)
            for found in guessed.pictures.values()
        )
        return guessing, leaked.get(joined(subset), -np.inf), float(item.visible[1, subset].mean())

    subset = max(item.subsets[rule, 1], key=prominence)
    exhibit = _exhibit(of, item.sample, item.frame)
    exhibit.seen, exhibit.received = _received(item.views[1, subset])
    exhibit.servers, exhibit.rule = joined(subset), (str(rule.c), rule.m)
    exhibit.guesses = [
        (planned.identity, np.where(item.visible[held][..., None], item.frame, guesses[place, held]))
        for planned in bench.plan.attacks
        for guesses in [guessed.of(planned.label)]
        for held in [(planned.requests, subset)]
        if (place, held) in guesses and planned.read_out is None
    ]
    return exhibit


def _leakages(of: DefensePlan, item: Reception, outcome: Outcome) -> Mapping[str, float]:
    """By coalition the largest leakage of any attack."""
    rows = [
        row
        for _, cell in of.privacy
        for row in outcome.rows.get(cell.cell_id, ())
        if row["image"] == item.sample.id and re.fullmatch(r"leakage\[.*\]", row["metric"])
    ]
    found: dict[str, float] = {}
    for row in rows:
        if row["metric"] == rows[0]["metric"]:
            found[row["servers"]] = max(row["value"], found.get(row["servers"], -np.inf))
    return found


def _exhibit(of: DefensePlan, sample: Sample, frame: Picture) -> Exhibit:
    size = (frame.shape[0], frame.shape[1])
    secrets = {
        (kind, number): secret
        for kind in ("text", "face", "object")
        for number, secret in planted(sample, kind, size).items()
    }
    return Exhibit(image=sample.id, frame=frame, secrets=secrets, defense=of.planned.identity)


def _received(view: View) -> tuple[Picture, str]:
    """Return the content of a view as a picture and in words."""
    canvas, exact = view.canvas()
    degraded, held = view.degraded_canvas()
    parts = []
    for mask, kind in ((exact, "exact"), (held & ~exact, "degraded")):
        if mask.any():
            parts.append(f"{_percent(mask)} {kind}")
    if view.tokens:
        parts.append(f"{sum(len(tokens.values) for tokens in view.tokens)} tokens")
    return hatched(np.where(exact[..., None], canvas, degraded), exact | held), ", ".join(parts) or "nothing"


def _percent(mask: Mask) -> str:
    return "all" if mask.all() else f"{100 * mask.mean():.0f} %"

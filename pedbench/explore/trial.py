"""One picture under one defense, once it has run: masks of both models, and what each coalition holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pedbench.adversary.view import footprints
from pedbench.base import Embedding
from pedbench.measure.bench import PassBench
from pedbench.measure.views import Reception, share_out
from pedbench.offload.operations.observation import Observation
from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.run_pass import Pass
from pedbench.suites.plan import DefensePlan
from pedbench.types import Instance, Mask, Picture, Sample, View
from pedbench.utility.prediction import predict
from pedbench.utility.prompts import bounding_box
from pedbench.utility.segmentation import intersection_over_union

Prompt = tuple[float, ...]
"""A click as (x, y), or a box as (left, top, right, bottom), in pixels of the original picture."""

Watch = Callable[[Pending], None]
"""Called with each call to a server when it is sent."""

_SAME = 0.5
"""IoU from which the box of an object is the one that was drawn."""


@dataclass(frozen=True, kw_only=True)
class Masks:
    """The masks of one prompt.

    Attributes:
        undefended: (H, W) bool, the undefended model's, at the original resolution.
        defended: Likewise under the defense; None before it has run.
        truth: The annotated object that the prompt is about; None where nothing is annotated there.
        scores: IoU of both masks with the truth, in that order.
        agreement: IoU of the two masks; None before the defense has run.
    """

    undefended: Mask
    defended: Mask | None
    truth: Instance | None
    scores: tuple[float, ...]
    agreement: float | None


def segment(sample: Sample, undefended: Embedding, defended: Embedding | None, prompt: Prompt) -> Masks:
    """Return what both models make of a prompt."""
    size = (sample.image.shape[0], sample.image.shape[1])
    prompts = np.array([prompt], np.float64)
    boxes, points = (prompts, None) if len(prompt) == 4 else (None, prompts[:, None])
    models = [undefended] if defended is None else [undefended, defended]
    found = [predict(each, size, points=points, boxes=boxes).masks[0] for each in models]
    truth = _meant(sample.instances, prompt)
    scores = () if truth is None else tuple(_iou(mask, truth.mask) for mask in found)
    agreement = _iou(found[1], found[0]) if defended is not None else None
    return Masks(
        undefended=found[0],
        defended=found[1] if defended is not None else None,
        truth=truth,
        scores=scores,
        agreement=agreement,
    )


def _iou(mask: Mask, truth: Mask) -> float:
    return intersection_over_union(mask[None], truth[None])[0]


def _meant(instances: Sequence[Instance], prompt: Prompt) -> Instance | None:
    """Return the smallest object under a click, or the one whose box is most like the one drawn."""
    objects = [each for each in instances if not each.crowd and each.mask.any()]
    if len(prompt) == 2:
        row, column = int(prompt[1]), int(prompt[0])
        under = [each for each in objects if each.mask[row, column]]
        return min(under, key=lambda each: each.area, default=None)
    alike = [(_box_iou(bounding_box(each.mask), prompt), each) for each in objects]
    best = max(alike, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= _SAME else None


def _box_iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


class Pooled(NamedTuple):
    """The view of a coalition, and two masks of the frame, (H, W) bool.

    Attributes:
        visible: Pixels that it holds exactly.
        footprint: Pixels that its content belongs to, exact or not.
    """

    view: View
    visible: Mask
    footprint: Mask


@dataclass(kw_only=True)
class Trial:
    """A defense's passes over a picture, checked as in a run.

    Attributes:
        passes: One per request.
        seen: By request, what the servers received.
        distrust: Why what the defense's own operations show counts as the whole frame; "" if it is believed.
    """

    bench: PassBench
    plan: DefensePlan
    sample: Sample
    frame: Picture
    passes: list[Pass] = field(default_factory=list)
    seen: list[tuple[Observation, ...]] = field(default_factory=list)
    distrust: str = ""
    reception: Reception = field(init=False)

    def __post_init__(self) -> None:
        self.reception = Reception(
            sample=self.sample, frame=self.frame, views={}, visible={}, footprint={}, subsets={}
        )

    @property
    def done(self) -> Pass:
        """The first pass."""
        return self.passes[0]

    def pool(self, coalition: Iterable[int], requests: int = 1) -> Pooled:
        """Return what a coalition holds of the first requests."""
        key = (requests, tuple(sorted(coalition)))
        found = self.reception
        if key not in found.views:
            observed = [each for observations in self.seen[:requests] for each in observations]
            share_out(self.bench, self.plan, observed, key, found)
            size = (self.frame.shape[0], self.frame.shape[1])
            belonging = footprints(observed, self.plan.defense.servers, size)
            found.footprint[key] = np.logical_or.reduce(belonging[list(key[1])])
        return Pooled(view=found.views[key], visible=found.visible[key], footprint=found.footprint[key])

    @cached_property
    def covered(self) -> npt.NDArray[np.bool_]:
        """(servers, H, W) bool, the pixels that each server's content of the first request belongs to."""
        size = (self.frame.shape[0], self.frame.shape[1])
        return footprints(self.seen[0], self.plan.defense.servers, size)

    def shares(self) -> list[float]:
        """Return for each server the share of the frame that its content belongs to."""
        return [float(pixels.mean()) for pixels in self.covered]

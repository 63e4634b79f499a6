"""Measure which words survive blur and pixelation on training scenes: `python -m tools.studies.blur_default`.

The default strength of both is the smallest at which at most a tenth of the words are read as they arrive. Prints
the table and writes it into docs/measured/instruments.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from pedbench.adversary.prior import load_prior
from pedbench.base import Attack
from pedbench.measure.probe_reader import Reader
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.plugins.defenses.gaussian_blur import blur
from pedbench.plugins.defenses.pixelate import pixelate
from pedbench.privacy.claims import ERRORS, WORDS, held_against, planted
from pedbench.privacy.pieces import Piece
from pedbench.registry import Registry
from pedbench.report.words.text import NOTHING, shown, table
from pedbench.results.statistics import Estimate, mean
from pedbench.scenes.render import render
from pedbench.scenes.store import SPLIT_SEEDS
from pedbench.types import Patch, Picture, Sample, Secret, View
from tools.documents.measured_blocks import measured

MOST_READ = 0.1
"""Largest allowed share of words read in the degraded picture."""

LONGEST = 320
NAMES = (WORDS, ERRORS)

SURROUNDINGS = 24
"""Pixels read around the words."""


@dataclass(frozen=True)
class Degraded:
    """A defense whose strength is swept.

    Attributes:
        apply: Function that changes a picture with a strength in pixels.
        strengths: Strengths in pixels of a frame whose longest side is `LONGEST`.
    """

    defense: str
    parameter: str
    apply: Callable[[Picture, float], Picture]
    strengths: Sequence[float]


DEGRADED = (
    Degraded("gaussian_blur", "sigma", blur, (1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0)),
    Degraded("pixelate", "block", lambda picture, side: pixelate(picture, round(side)), (2, 3, 4, 5, 6, 8)),
)


def training_scenes(words: int) -> Iterator[Sample]:
    """Yield the first training scenes until they hold at least `words` words; those without any are left out."""
    index = 0
    while words > 0:
        scene = render(SPLIT_SEEDS["train"], index, "train")
        secrets = tuple(
            Secret(kind=each.kind, content=each.content, box=each.box)
            for each in scene.secrets
            if each.kind == "text"
        )
        words -= len(secrets)
        if secrets:
            yield Sample(id=str(index), image=from_uint8(scene.image), secrets=secrets)
        index += 1


def survival(
    scenes: Sequence[Sample], reader: Reader, change: Callable[[Picture], Picture]
) -> tuple[Estimate, Estimate]:
    """Estimate the share of words read and the character error rate in changed scenes.

    Scenes are changed as a whole and read in the part that holds the words.
    """
    rows = []
    for scene in scenes:
        size = (scene.image.shape[0], scene.image.shape[1])
        secrets = planted(scene, "text", size).values()
        claims = reader.read(_part(change(scene.image), [secret.box for secret in secrets]), size)
        rows += [{"image": scene.id, **held_against(secret, claims)} for secret in secrets]
    frame = pd.DataFrame(rows)
    read, errors = (mean(frame.rename(columns={name: "value"})) for name in NAMES)
    return read, errors


def _part(picture: Picture, boxes: Sequence[tuple[float, float, float, float]]) -> Piece:
    """Crop the part of a picture that contains all boxes, as the rest takes time and changes nothing."""
    left, top = (max(0, int(min(box[k] for box in boxes)) - SURROUNDINGS) for k in (0, 1))
    right, bottom = (int(max(box[k] + box[k + 2] for box in boxes)) + SURROUNDINGS for k in (0, 1))
    return Piece(picture=picture[top:bottom, left:right], top=top, left=left)


def received(degraded: Degraded, pixels: float, picture: Picture) -> Picture:
    """Degrade a picture as the server gets it, in 8 bits."""
    return from_uint8(to_uint8(degraded.apply(picture, pixels)))


def undone(attack: Attack, degraded: Degraded, pixels: float, picture: Picture) -> Picture:
    """Reconstruct the degraded picture by an attack that knows the strength."""
    patch = Patch(picture=received(degraded, pixels, picture), top=0, left=0, server=0)
    view = View(
        frame_size=(picture.shape[0], picture.shape[1]),
        degraded=(patch,),
        description={"defense": degraded.defense, "params": {degraded.parameter: pixels / LONGEST}},
        prior=load_prior(),
    )
    return attack.reconstruct(view, np.random.default_rng(0))


@measured("measured/instruments.md", "blur")
def main(words: int = 250) -> str:
    """Read words of training scenes at each strength.

    Args:
        words: Minimum number of words per strength.
    """
    registry = Registry()
    reader = Reader(registry.create("probes", "ocr", {}), "cpu")
    if reader.unavailable:
        raise SystemExit(reader.unavailable)
    deblur: Attack = registry.create("attacks", "deblur", {})
    scenes = list(training_scenes(words))
    total = sum(len(scene.secrets) for scene in scenes)
    print(f"{total} words in {len(scenes)} scenes", flush=True)
    lines = [
        ["nothing", NOTHING, *map(shown, survival(scenes, reader, lambda picture: picture)), NOTHING, NOTHING]
    ]
    chosen = []
    for degraded in DEGRADED:
        enough, found = _weakest(degraded, scenes, reader)
        chosen.append(f"`{degraded.defense}`: `{degraded.parameter} = {enough / LONGEST:g}`")
        for pixels, read in found.items():
            deblurred = survival(scenes, reader, partial(undone, deblur, degraded, pixels))
            strength = f"{pixels:g} px, `{degraded.parameter} = {pixels / LONGEST:g}`"
            lines.append([f"`{degraded.defense}`", strength, *map(shown, (*read, *deblurred))])
            print(lines[-1], flush=True)
    headers = [
        "defense",
        "strength at 320 px",
        *(f"{name}{suffix}" for suffix in ("", ", deblurred") for name in NAMES),
    ]
    return (
        f"{total} words in {len(scenes)} training scenes; 95 % bootstrap intervals over scenes. Weakest of these "
        f"strengths at which at most {MOST_READ:g} of the words are read: {', '.join(chosen)}.\n\n"
        f"{table(headers, lines, left=2)}"
    )


def _weakest(
    degraded: Degraded, scenes: Sequence[Sample], reader: Reader
) -> tuple[float, dict[float, tuple[Estimate, Estimate]]]:
    """Find the first strength at which few words are read, and the results up to the second strength after it."""
    found: dict[float, tuple[Estimate, Estimate]] = {}
    enough: list[float] = []
    for pixels in degraded.strengths:
        found[pixels] = survival(scenes, reader, partial(received, degraded, pixels))
        print(degraded.defense, pixels, *map(shown, found[pixels]), flush=True)
        enough += [pixels] if enough or found[pixels][0].value <= MOST_READ else []
        if len(enough) == 3:
            return enough[0], found
    raise SystemExit(f"{degraded.defense}: words survive all of {degraded.strengths}; add stronger ones")


if __name__ == "__main__":
    main()

"""The pictures of the README: scenes, what servers received of them, and the masks that came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from docs.sheet import Tile, draw_sheet
from pedbench.audit import visible_mask
from pedbench.base import Attack, Dataset, Defense
from pedbench.frame import to_frame
from pedbench.marking import hatched, overlaid
from pedbench.metrics.root_mean_square_error import RootMeanSquareError
from pedbench.models.family import MINI, FamilyNetworks
from pedbench.observe import build_view, coalitions, footprints, observe
from pedbench.offload.passes import Pass, run_pass
from pedbench.offload.virtual import VirtualServers
from pedbench.prior import load_prior
from pedbench.registry import Registry
from pedbench.scoring import score, score_blind
from pedbench.seeds import generator
from pedbench.types import Mask, Picture, Sample
from pedbench.utility.prompts import innermost_pixel
from pedbench.utility.segmentation import clicked_masks, intersection_over_union, size_class

ON_SHEET = (2, 5, 6, 10, 11, 21, 28, 38)
ATTACKED = (6, 23)
SEGMENTED = (21, 38)
"""Scenes of the validation split, by index: picked to show much, not to score well."""

OBJECTS = 6
"""Objects a scene of which masks are shown: the largest."""

LEAKAGE = "leakage[RMSE]"

KEY = ("\N{UPWARDS ARROW} what a server got", "\N{RIGHTWARDS ARROW} what it can guess")

WIDTH = 240
"""Of a picture on a sheet, in pixels."""

Shown = tuple[str, str, dict[str, Any]]
"""A column: what stands above it, and a defense by name and parameters."""

SHOWN: tuple[Shown, ...] = (
    ("full offload", "full_offload", {}),
    ("blur", "gaussian_blur", {}),
    ("pixelation", "pixelate", {}),
    ("PED-SAM, 3 servers", "ped_sam", {"servers": 3}),
    ("PED-SAM, 25 servers", "ped_sam", {"servers": 25}),
)


class Illustrator:
    """Draws from real passes over validation scenes.

    Args:
        folder: Where the pictures go.
        servers: At least 25.
        networks: The mini family.
    """

    def __init__(self, folder: Path, servers: VirtualServers, networks: FamilyNetworks) -> None:
        self.folder = folder
        self.servers = servers
        self.networks = networks
        self.registry = Registry()
        self.scenes: Dataset = self.registry.create("datasets", "scenes", {})
        every = [self.registry.create("attacks", name, {}) for name in self.registry.origins("attacks")]
        self.floors: list[Attack] = [attack for attack in every if attack.floor]
        self.prior = load_prior()

    def draw_scenes(self) -> None:
        """A sheet of validation scenes."""
        tiles = [Tile(picture=self.scenes[index].image) for index in ON_SHEET]
        half = len(tiles) // 2
        draw_sheet([tiles[:half], tiles[half:]], self.folder / "scenes.png", width=WIDTH)

    def draw_views(self) -> None:
        """What the worst single server received under each defense, and what a floor makes of it."""
        rows: list[list[Tile]] = []
        for index in ATTACKED:
            sample = self.scenes[index]
            received = [Tile(picture=self._frame(sample), caption=["the scene"])]
            guessed = [Tile(caption=KEY)]
            for _, name, params in SHOWN:
                view, guess = self._worst(sample, self.registry.create("defenses", name, params))
                received.append(view)
                guessed.append(guess)
            rows += [received, guessed]
        headers = ["", *(title for title, _, _ in SHOWN)]
        draw_sheet(rows, self.folder / "what_servers_see.png", headers=headers, width=WIDTH)

    def draw_masks(self) -> None:
        """One click an object: the annotated masks, and those that come out under some defenses."""
        shown: tuple[Shown, ...] = (("on the device", "on_device", {}), SHOWN[1], SHOWN[3])
        rows = []
        for index in SEGMENTED:
            sample = self.scenes[index]
            largest = sorted(sample.instances, key=lambda item: -item.area)
            truths = np.stack([item.mask for item in largest if size_class(item.area) != "S"][:OBJECTS])
            clicks = [innermost_pixel(truth) for truth in truths]
            row = [Tile(picture=overlaid(sample.image, list(truths), clicks), caption=["annotated"])]
            for _, name, params in shown:
                done = self._run(sample, self.registry.create("defenses", name, params))
                masks = clicked_masks(done.embedding, truths, 1)[0]
                mean = np.mean(intersection_over_union(masks, truths))
                picture = overlaid(sample.image, list(masks), clicks)
                row.append(Tile(picture=picture, caption=[f"mean IoU here {mean:.2f}"]))
            rows.append(row)
        headers = ["one click an object", *(title for title, _, _ in shown)]
        draw_sheet(rows, self.folder / "masks.png", headers=headers, width=WIDTH)

    def _frame(self, sample: Sample) -> Picture:
        return to_frame(sample.image, MINI.original.architecture.image_size)

    def _run(self, sample: Sample, defense: Defense) -> Pass:
        rng = generator(0, self.scenes.name, sample.id, defense.label)
        return run_pass(defense, self._frame(sample), self.servers, self.networks, rng)

    def _worst(self, sample: Sample, defense: Defense) -> tuple[Tile, Tile]:
        """The server and the floor whose guess leaks most of the picture: an oracle's choice."""
        frame = self._frame(sample)
        size = (frame.shape[0], frame.shape[1])
        done = self._run(sample, defense)
        seen = observe(done.received, self.servers.operations, self.networks, size)
        metric = [RootMeanSquareError()]
        best: tuple[float, Tile, Tile] | None = None
        for coalition in coalitions(footprints(seen, defense.servers, size), c=1, m=3):
            view = build_view(
                seen,
                coalition,
                frame_size=size,
                disclosure=defense.disclosure,
                description={"defense": defense.name, "params": defense.params},
                prior=self.prior,
            )
            visible = visible_mask(view, frame)
            blind = {a.name: a.reconstruct(view.blind(), self._rng(sample, a)) for a in self.floors}
            guesses = {a.name: a.reconstruct(view, self._rng(sample, a)) for a in self.floors}
            found = score(frame, visible, guesses, score_blind(frame, blind, metric), set(guesses), metric)
            leakage = {row.attack: row.value for row in found if row.metric == LEAKAGE}
            name = max(leakage, key=lambda attack: leakage[attack])
            if best is None or leakage[name] > best[0]:
                canvas, exact = view.canvas()
                degraded, held = view.degraded_canvas()
                shown = hatched(np.where(exact[..., None], canvas, degraded), exact | held)
                guess = np.where(visible[..., None], frame, guesses[name])
                best = (
                    leakage[name],
                    Tile(picture=shown, caption=[f"received: {_kind(exact)}"]),
                    Tile(picture=guess, caption=[_words(name, visible), f"leakage {leakage[name]:.2f}"]),
                )
        if best is None:
            raise ValueError(f"{defense.label} calls no server, so there is nothing to show")
        return best[1], best[2]

    def _rng(self, sample: Sample, attack: Attack) -> np.random.Generator:
        return generator(0, self.scenes.name, sample.id, attack.label)


def _kind(exact: Mask) -> str:
    return f"{100 * exact.mean():.0f} %, exact" if exact.any() else "all, degraded"


def _words(name: str, visible: Mask) -> str:
    return "nothing is left to guess" if visible.all() else f"guess: {name.replace('_', ' ')}"


def draw_all(folder: Path) -> None:
    """Draw the pictures of the README into a folder."""
    networks = FamilyNetworks(family=MINI)
    with VirtualServers(25, networks) as servers:
        illustrator = Illustrator(folder, servers, networks)
        illustrator.draw_scenes()
        illustrator.draw_views()
        illustrator.draw_masks()

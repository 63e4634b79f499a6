"""Compare the scoring trunk with the one in the attackers' loss: `python -m tools.studies.scoring_trunk`.

Prints the tables and writes them into docs/measured/scoring_trunk.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from pedbench.adversary.prior import load_prior
from pedbench.base import Attack, Metric
from pedbench.metrics.learned_perceptual_similarity import OWN, LearnedPerceptualSimilarity, Trunk
from pedbench.models.manifest import manifest_entry
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.checkpoints import read_state
from pedbench.offload.passes.assignment import assign
from pedbench.pictures.frame import from_uint8
from pedbench.registry import Registry
from pedbench.report.words.text import code, shown, table
from pedbench.results.statistics import mean, mean_over
from pedbench.scenes.render import render
from pedbench.scenes.store import SPLIT_SEEDS
from pedbench.types import Patch, Picture, View
from tools.documents.measured_blocks import measured
from tools.studies.scoring_trials import KINDS, distances, noisy, rising, same_kind, stronger

RANKED = (1, 3)
"""Strengths of each kind whose ranks are compared."""

SERVERS = 3
GUESSES = ("mean_colour", "nearest_pixel", "vitmae", "completion")
TRUNKS: tuple[Trunk, ...] = ("scoring", "mini")


def views(picture: Picture) -> list[View]:
    """Return what each server of `ped_sam` receives."""
    size, grid = (picture.shape[0], picture.shape[1]), SAM_MINI.grid
    dealt = assign("dispersed", grid.active(size), SERVERS, np.random.default_rng(0))
    description = {
        "defense": "ped_sam",
        "params": {"servers": SERVERS, "weights": "fine-tuned"},
        "family": "mini",
    }
    prior, found = load_prior(), []
    for server, windows in dealt.items():
        tiles = [grid.tile(window, size) for window in windows]
        patches = tuple(
            Patch(picture=picture[tile.slices].copy(), top=tile.top, left=tile.left, server=server)
            for tile in tiles
        )
        found.append(View(frame_size=size, patches=patches, description=description, prior=prior))
    return found


def guessed(
    picture: Picture, metrics: Sequence[Metric], attacks: Sequence[Attack]
) -> Iterator[dict[str, float | str]]:
    """Yield the hidden distance of each attack's guess by each metric, and that of the mean colour without pasting."""
    for view in views(picture):
        canvas, seen = view.canvas()
        colour = np.broadcast_to(view.prior.mean_colour, picture.shape).astype(np.float32)
        raw = {attack.name: attack.reconstruct(view, np.random.default_rng(0)) for attack in attacks}
        guesses = {name: np.where(seen[..., None], canvas, guess) for name, guess in raw.items()}
        everything = {**guesses, "alone": colour, "pasted": np.where(seen[..., None], canvas, colour)}
        found = {
            metric.column: distances(metric, [*everything.values()], picture, ~seen) for metric in metrics
        }
        for place, name in enumerate(everything):
            yield {"guess": name} | {column: values[place] for column, values in found.items()}


def agreement(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation of the same pictures' distances by two metrics."""
    return float(spearmanr(first, second).statistic)


def seconds(metric: Metric, picture: Picture, guesses: int = 8, repeats: int = 7) -> float:
    """Return the processor's seconds per guess on one thread: the least of some repetitions."""
    inputs = [noisy(picture, 0.1, seed) for seed in range(guesses)]
    durations = []
    for _ in range(repeats):
        start = time.process_time()
        distances(metric, inputs, picture)
        durations.append((time.process_time() - start) / guesses)
    return min(durations)


def _shares(rows: list[dict[str, object]], columns: Sequence[str]) -> str:
    frame = pd.DataFrame(rows)
    lines = []
    for kind, each in [*frame.groupby("kind", sort=False), ("all", frame)]:
        means = [mean(each.assign(value=each[column])) for column in columns]
        lines.append([str(kind), f"{len(each):,}", *map(shown, means)])
    return table(["kind", "n", *columns], lines)


@measured("measured/scoring_trunk.md")
def main(pictures: int = 10) -> dict[str, str]:
    """Compare both trunks on validation scenes.

    Args:
        pictures: Number of scenes.
    """
    torch.set_num_threads(1)
    trunks: list[Metric] = [LearnedPerceptualSimilarity(net=net) for net in TRUNKS]
    registry = Registry()
    attacks: list[Attack] = [registry.create("attacks", name, {}) for name in GUESSES]
    for plugin in (*trunks, *attacks):
        plugin.prepare("cpu")
    columns = [metric.column for metric in trunks]
    questions = {"rising": rising, "stronger": stronger, "kind": same_kind}
    answers: dict[str, list[dict[str, object]]] = {name: [] for name in questions}
    guesses: list[dict[str, float | str]] = []
    ranks: list[float] = []
    for index in range(pictures):
        picture = from_uint8(render(SPLIT_SEEDS["val"], index, "val").image)
        for name, question in questions.items():
            for trial in question(picture):
                passed = {metric.column: float(trial.passed(metric)) for metric in trunks}
                answers[name].append({"image": index, "kind": trial.kind, **passed})
        distorted = [distort(picture, s[place], 0) for distort, s in KINDS.values() for place in RANKED]
        ranks.append(agreement(*(distances(trunk, distorted, picture) for trunk in trunks)))
        guesses += [{"image": index, **row} for row in guessed(picture, trunks, attacks)]
        print(index, flush=True)
    speeds = {metric.column: seconds(metric, picture) for metric in (*trunks, *trunks)}
    return {
        "trunks": _trunks(speeds),
        **{name: _shares(rows, columns) for name, rows in answers.items()},
        **_guesses(pd.DataFrame(guesses), columns, ranks),
    }


def _trunks(speeds: dict[str, float]) -> str:
    lines = []
    for net in TRUNKS:
        name, column = OWN[net].stem, f"LPIPS-{net}"
        entry = manifest_entry(name)
        scores = ", ".join(f"{key} {value:.3f}" for key, value in entry["scores"].items())
        scenes = f"{entry['data']['count']:,}"
        count = sum(tensor.numel() for tensor in read_state(OWN[net]).values())
        lines.append([code(name), f"{count:,}", scenes, scores, f"{speeds[column] * 1000:.1f}"])
    return table(["network", "weights", "training scenes", "on validation scenes", "ms per guess"], lines)


def _guesses(frame: pd.DataFrame, columns: Sequence[str], ranks: Sequence[float]) -> dict[str, str]:
    attacked = frame[frame["guess"].isin(GUESSES)]
    over_guesses = [
        agreement(*(each[column].to_list() for column in columns)) for _, each in attacked.groupby("image")
    ]
    texts = [shown(mean_over(np.array(values))) for values in (ranks, over_guesses)]
    lines = [
        [code(name), *(_mean(frame[frame["guess"] == name], column) for column in columns)]
        for name in GUESSES
    ]
    neighbours = [
        [words, *(_mean(frame[frame["guess"] == name], column) for column in columns)]
        for name, words in (("alone", "mean colour everywhere"), ("pasted", "visible pixels pasted over it"))
    ]
    return {
        "ranks": (
            f"Spearman's rank correlation of the two trunks, per picture: {texts[0]} over {len(KINDS) * len(RANKED)} "
            f"distortions of two strengths, {texts[1]} over the {SERVERS * len(GUESSES)} guesses below.\n\n"
            f"{table(['guess', *columns], lines)}"
        ),
        "neighbours": table(["hidden part", *columns], neighbours),
    }


def _mean(rows: pd.DataFrame, column: str) -> str:
    return shown(mean(rows.assign(value=rows[column])))


if __name__ == "__main__":
    main()

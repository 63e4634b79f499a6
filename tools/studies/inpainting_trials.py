"""Compare inpainting with the floors and `completion` on views of ped_sam: `python -m tools.studies.inpainting_trials`.

Prints, for each attack, hidden PSNR and LPIPS-scoring of the worst server, mean over scenes of `mini`, and the paired
difference of LPIPS-scoring from `completion` on the same views. As in `mini`, a slow attack guesses from the servers
that the fast ones found worst.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pedbench.adversary.prior import load_prior
from pedbench.adversary.view import build_view
from pedbench.base import Attack
from pedbench.metrics.learned_perceptual_similarity import LearnedPerceptualSimilarity
from pedbench.metrics.peak_signal_noise_ratio import PeakSignalNoiseRatio
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.observation import observe
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.privacy.scoring import measure
from pedbench.registry import Registry
from pedbench.report.words.text import shown, table
from pedbench.results.statistics import mean_over
from pedbench.types import Picture, View

FAST = ("mean_colour", "nearest_pixel", "biharmonic", "random_image", "completion")
SLOW = "diffusion_inpaint"
REFERENCE = "completion"
LPIPS, PSNR = "LPIPS-scoring", "PSNR"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Views that each of the servers has of one scene."""

    scene: str
    frame: Picture
    views: Mapping[int, View]


def receive(servers: int, scenes: int) -> Iterator[Shared]:
    """Offload scenes of `mini` to that many servers, and yield what each server received."""
    registry, networks, prior = Registry(), FamilyNetworks(family=MINI), load_prior()
    dataset = registry.create("datasets", "scenes", {"split": "val"})
    defense = registry.create("defenses", "ped_sam", {"servers": servers})
    description = {"defense": defense.name, "params": defense.params, "family": "mini"}
    with VirtualServers(servers, networks) as started:
        for index in range(scenes):
            sample = dataset[index]
            frame = to_frame(sample.image, networks.network("original").image_encoder.img_size)
            size = (frame.shape[0], frame.shape[1])
            done = run_pass(defense, frame, started, networks, np.random.default_rng(0), PassSettings())
            seen = observe(done.received, started.operations, networks, size)
            views = {
                server: build_view(
                    seen,
                    (server,),
                    frame_size=size,
                    disclosure=defense.disclosure,
                    description=description,
                    prior=prior,
                )
                for server in range(servers)
            }
            yield Shared(
                scene=sample.id, frame=frame, views={k: view for k, view in views.items() if view.patches}
            )


def score(shared: Shared, attacks: Mapping[str, Attack]) -> pd.DataFrame:
    """Score the guesses of a scene: columns scene, server, attack, metric, value."""
    metrics = [LearnedPerceptualSimilarity(), PeakSignalNoiseRatio()]
    metrics[0].prepare("cpu")
    rows: list[tuple[str, int, str, str, float]] = []

    def score_from(servers: Sequence[int], names: Sequence[str]) -> None:
        for server in servers:
            view = shared.views[server]
            guesses = {name: attacks[name].reconstruct(view, np.random.default_rng(server)) for name in names}
            measured = measure(shared.frame, view.canvas()[1], guesses, metrics)
            rows.extend(
                (shared.scene, server, name, column, found[name]["hidden"])
                for column, found in measured.items()
                for name in names
            )

    score_from([*shared.views], FAST)
    worst = {min(rows, key=lambda row: (row[3] != LPIPS, row[4]))[1]}
    worst.add(max(rows, key=lambda row: (row[3] == PSNR, row[4]))[1])
    score_from(sorted(worst) if len(shared.views) > 3 else [*shared.views], [SLOW])
    return pd.DataFrame(rows, columns=["scene", "server", "attack", "metric", "value"])


def summarise(values: pd.DataFrame) -> str:
    """Return the table of all attacks."""
    rows = []
    lpips = values[values["metric"] == LPIPS].set_index(["scene", "server"])
    reference = lpips[lpips["attack"] == REFERENCE]["value"]
    for attack in (*FAST, SLOW):
        mine = values[values["attack"] == attack].groupby(["metric", "scene"])["value"]
        nearest, loudest = mine.min()[LPIPS].to_numpy(float), mine.max()[PSNR].to_numpy(float)
        apart = (lpips[lpips["attack"] == attack]["value"] - reference).dropna().groupby("scene").mean()
        estimates = [mean_over(each) for each in (loudest, nearest, apart.to_numpy(float))]
        rows.append([attack, *map(shown, estimates)])
    return table(["attack", PSNR, LPIPS, f"{LPIPS} less that of {REFERENCE}, same views"], rows)


def main() -> None:
    """Print a table for each number of servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="inpaint-mini")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--servers", type=int, nargs="+", default=[3, 25])
    parser.add_argument("--scenes", type=int, default=24)
    options = parser.parse_args()
    params = {"model": options.model, "samples": options.samples, "steps": options.steps}
    registry = Registry()
    attacks = {name: registry.create("attacks", name, {}) for name in FAST}
    attacks[SLOW] = registry.create("attacks", SLOW, params)
    for attack in attacks.values():
        attack.prepare("cpu")
    for servers in options.servers:
        values = pd.concat([score(shared, attacks) for shared in receive(servers, options.scenes)])
        print(f"{servers} servers, {options.scenes} scenes\n\n{summarise(values)}\n", flush=True)


if __name__ == "__main__":
    main()

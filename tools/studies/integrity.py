"""Measure the effect of lies and the detection by spot checks: `python -m tools.studies.integrity`.

Prints the tables and writes them into docs/measured/integrity.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import TOLERANCE, SpotChecks, detection
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_frame
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.registry import Registry
from pedbench.report.words.text import quantity, shown, table
from pedbench.results.statistics import difference, mean
from pedbench.types import Sample
from pedbench.utility.segmentation import evaluate
from tools.documents.measured_blocks import measured

SERVERS = 5
PROMPT = "box"
HIDDEN = 0.9 * TOLERANCE
"""Strength just below the threshold of spot checks."""

LIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("noise", {"lie": "noise"}),
    ("replay", {"lie": "replay"}),
    ("perturbed by 1", {"lie": "perturbed", "strength": 1.0}),
    ("perturbed by 0.2", {"lie": "perturbed", "strength": 0.2}),
    (f"perturbed by {HIDDEN:.3g}", {"lie": "perturbed", "strength": HIDDEN}),
)
LIARS = (1, 2, 5)
CHECKS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Pictures, servers and networks of the measurements."""

    samples: Sequence[Sample]
    servers: VirtualServers
    networks: FamilyNetworks
    rng: np.random.Generator
    earlier: dict[str, Mapping[int, Any]] = field(default_factory=dict)

    def passes(self, checks: int = 0, **lie: Any) -> Iterator[tuple[Sample, Pass, float]]:
        """Run a pass of every picture, and time it.

        Args:
            checks: Windows that the edge also computes.
            lie: Arguments of `Lies`. Replies of the previous picture are replayed, for the first those of the last.
        """
        side = self.networks.network("original").image_encoder.img_size
        for place, sample in enumerate(self.samples):
            frame = to_frame(sample.image, side)
            before = self.earlier.get(self.samples[place - 1].id, {})
            lies = Lies(**lie, earlier=before, seed=int(self.rng.integers(2**32))) if lie else None
            began = time.perf_counter()
            done = run_pass(
                PedSam(servers=SERVERS),
                frame,
                self.servers,
                self.networks,
                np.random.default_rng(0),
                PassSettings(on_lost="edge", spot_checks=SpotChecks(count=checks, rng=self.rng), lies=lies),
            )
            yield sample, done, time.perf_counter() - began

    def listen(self) -> None:
        """Store the servers' replies to each picture, for replay."""
        side = self.networks.network("original").image_encoder.img_size
        for sample in self.samples:
            lies = Lies()
            rng = np.random.default_rng(0)
            frame = to_frame(sample.image, side)
            run_pass(
                PedSam(servers=SERVERS), frame, self.servers, self.networks, rng, PassSettings(lies=lies)
            )
            self.earlier[sample.id] = lies.returned

    def scores(self, checks: int = 0, **lie: Any) -> tuple[pd.DataFrame, list[bool]]:
        """Score the IoU of all objects, and list whether each pass detected a liar."""
        grid = window_grid(self.networks.network("original").image_encoder)
        rows, found = [], []
        for sample, done, _ in self.passes(checks, **lie):
            size = to_frame(sample.image, grid.tokens[0] * grid.patch).shape
            rows += [
                {"image": sample.id, **row}
                for row in evaluate(
                    done.embedding,
                    sample,
                    frame=(size[0], size[1]),
                    window=grid.window * grid.patch,
                    protocol="clicks",
                    prompts=(PROMPT,),
                )
            ]
            found.append(bool(done.lost))
        return pd.DataFrame(rows), found

    @property
    def windows(self) -> list[tuple[int, dict[int, int]]]:
        """Windows of each picture: their number, and their numbers by server."""
        encoder = self.networks.network("original").image_encoder
        grid = window_grid(encoder)
        found = []
        for sample, done, _ in self.passes():
            count = {e.server: 0 for e in done.exchanges}
            for message in done.received:
                if message.payload is not None:
                    count[message.server] += len(message.payload["positions"])
            active = grid.active(to_frame(sample.image, encoder.img_size).shape[:2])
            found.append((len(active), count))
        return found


@measured("measured/integrity.md")
def main(pictures: int = 24, repeats: int = 2) -> dict[str, str]:
    """Measure lies and spot checks on some validation scenes.

    Args:
        repeats: Passes of each picture for a detection rate.
    """
    dataset = Registry().create("datasets", "scenes", {"split": "val"})
    samples = [dataset[index] for index in range(pictures)]
    networks = FamilyNetworks(family=MINI)
    with VirtualServers(SERVERS, networks) as servers:
        bench = Bench(samples=samples, servers=servers, networks=networks, rng=np.random.default_rng(0))
        bench.listen()
        return {"harm": harm(bench), "found": rates(bench, repeats), "costs": costs(bench)}


def harm(bench: Bench) -> str:
    """Tabulate the effect of lies without checks, and with two checks per pass."""
    reference, _ = bench.scores()
    lines = []
    for name, lie in LIES:
        for count in LIARS:
            line = [name, f"{count} of {SERVERS}"]
            for checks in (0, 2):
                scores, found = bench.scores(checks, **lie, liars=count)
                change = difference(scores, reference)
                low, high = change.ci95 or (change.value, change.value)
                line.append(f"{100 * change.value:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]")
            line.append(f"{sum(found)} of {len(found)}")
            lines.append(line)
            print(*line, flush=True)
    headers = ["lie", "liars", "mIoU unchecked", "mIoU with 2 checks", "passes in which one was found"]
    return (
        f"`ped_sam` with {SERVERS} servers on {len(bench.samples)} validation scenes, mini models, prompt "
        f"`{PROMPT}`. Honest servers: mIoU {shown(mean(reference))}; the others as "
        "differences from it in points, picture by picture, with 95 % bootstrap intervals over pictures.\n\n"
        f"{table(headers, lines, left=2)}"
    )


def rates(bench: Bench, repeats: int) -> str:
    """Tabulate the observed and the expected rate of detection."""
    windows = bench.windows
    lines = []
    total = np.zeros(3)
    for liars, each in ((1, 1), (1, 2), (1, 1000), (2, 1000)):
        for checks in CHECKS:
            lie = {"lie": "noise", "liars": liars, "windows": each}
            found = [bool(done.lost) for _ in range(repeats) for _, done, _ in bench.passes(checks, **lie)]
            wrong = [sum(min(each, own.get(server, 0)) for server in range(liars)) for _, own in windows]
            expected = np.mean(
                [detection(whole, part, checks) for (whole, _), part in zip(windows, wrong, strict=True)]
            )
            spread = 1.96 * np.sqrt(expected * (1 - expected) / len(found))
            lines.append(
                [
                    f"{liars}, {'all' if each > 100 else each} of its windows",
                    str(checks),
                    f"{100 * expected:.1f} %",
                    f"{100 * np.mean(found):.1f} % ({sum(found)} of {len(found)})",
                    f"{100 * spread:.1f}",
                ]
            )
            total += np.array([expected * len(found), sum(found), len(found)])
            print(*lines[-1], flush=True)
    headers = ["liars", "checks", "expected", "found", "chance, points"]
    many = sorted({whole for whole, _ in windows})
    return (
        f"Pictures have {' or '.join(map(str, many))} windows. Chance is twice the standard error that so many passes "
        f"have around the expectation. In all {total[2]:.0f} passes, {total[1]:.0f} liars or pairs of them were found, "
        f"and {total[0]:.0f} expected.\n\n{table(headers, lines)}"
    )


def costs(bench: Bench) -> str:
    """Tabulate the time of checks of honest servers."""
    lines = []
    # In turns, so that other work on the host affects all numbers of checks.
    seconds: dict[int, list[float]] = {checks: [] for checks in (0, *CHECKS)}
    for _ in range(3):
        for checks in seconds:
            seconds[checks] += [took for _, _, took in bench.passes(checks)]
    plain = seconds[0]
    for checks, took in seconds.items():
        ratios = np.array(took) / np.array(plain)
        lines.append([str(checks), quantity(float(np.median(took)), "s"), f"{np.median(ratios):.2f}"])
        print(*lines[-1], flush=True)
    headers = ["checks", "pass, median", "of one without"]
    return f"All servers and the edge share this host.\n\n{table(headers, lines)}"


if __name__ == "__main__":
    main()

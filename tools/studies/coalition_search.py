"""How far the search for the worst coalition stays behind all coalitions: python -m tools.studies.coalition_search

Writes docs/measured/coalition_search.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd

from pedbench.adversary.coalitions import Coalition, Holdings, search
from pedbench.adversary.prior import load_prior
from pedbench.base import Attack, Metric
from pedbench.host.files import write_atomically
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.offload.passes.assignment import assign
from pedbench.pictures.frame import to_frame
from pedbench.registry import Registry
from pedbench.types import MOST_COALITIONS, Patch, Picture, Prior, View

PAGE = Path(__file__).parents[2] / "docs" / "measured" / "coalition_search.md"

SCENES, COMPARED = 6, 2
"""Scenes of mini, and of these the ones on which every distance is measured; the others are for RMSE alone."""

SERVERS, SIZES = (9, 25), (1, 2, 3, 5)

MOST = 2500
"""Coalitions up to which all are evaluated; beyond, `RANDOM` are drawn at random."""

RANDOM = 2000
"""Coalitions that are drawn where there are more than `MOST`."""

ATTACKS = ("mean_colour", "nearest_pixel", "biharmonic", "random_image", "completion")

BATCH = 25
"""Views that an attack gets at once."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One picture shared out to servers."""

    number: int
    frame: Picture
    patches: Mapping[int, tuple[Patch, ...]]
    prior: Prior

    @property
    def servers(self) -> int:
        return len(self.patches)

    def view(self, coalition: Coalition) -> View:
        """Return what a coalition holds."""
        size = (self.frame.shape[0], self.frame.shape[1])
        params = {"servers": self.servers, "weights": "fine-tuned"}
        return View(
            frame_size=size,
            patches=tuple(patch for server in coalition for patch in self.patches[server]),
            prior=self.prior,
            description={"defense": "ped_sam", "version": 1, "params": params, "family": "mini"},
        )

    def searched(self, c: int) -> tuple[Coalition, ...]:
        """Return the coalitions that a run evaluates."""
        covered = np.stack([self.view((server,)).canvas()[1] for server in range(self.servers)])
        names = tuple(
            f"{self.number} {[(p.top, p.left) for p in of_server]}" for of_server in self.patches.values()
        )
        return search(Holdings(covered=covered, digests=names), self.frame, self.prior.mean_colour, c)

    def every(self, c: int) -> list[Coalition]:
        """Return all coalitions of c servers, or so many drawn at random."""
        if comb(self.servers, c) <= MOST:
            return list(combinations(range(self.servers), c))
        generator, random = np.random.default_rng(self.number), dict[Coalition, None]()
        while len(random) < RANDOM:
            random[tuple(sorted(generator.choice(self.servers, c, replace=False).tolist()))] = None
        return [*random]

    def evaluated(self) -> Iterator[Coalition]:
        """Yield the coalitions of all sizes, drawn and searched, each once."""
        yield from dict.fromkeys(each for c in SIZES for each in (*self.every(c), *self.searched(c)))


def cases(servers: int) -> Iterator[Case]:
    """Yield the scenes of mini, their windows shared out as ped_sam does."""
    grid, prior = SAM_MINI.grid, load_prior()
    dataset = Registry().create("datasets", "scenes", {"split": "val"})
    for number in range(SCENES):
        frame = to_frame(dataset[number].image, SAM_MINI.image_size)
        size = (frame.shape[0], frame.shape[1])
        shared = assign("dispersed", grid.active(size), servers, np.random.default_rng(0))
        patches = {
            server: tuple(
                Patch(
                    picture=frame[grid.tile(window, size).slices],
                    top=grid.tile(window, size).slices[0].start,
                    left=grid.tile(window, size).slices[1].start,
                    server=server,
                )
                for window in windows
            )
            for server, windows in shared.items()
        }
        yield Case(number=number, frame=frame, patches=patches, prior=prior)


def leakages(
    case: Case, coalitions: Sequence[Coalition], attacks: Sequence[Attack], metrics: Sequence[Metric]
) -> pd.DataFrame:
    """Return the leakage of each attack and coalition by each metric's distance: columns are metrics."""
    whole = {"whole": np.ones(case.frame.shape[:2], np.bool_)}
    colour = np.broadcast_to(case.prior.mean_colour, case.frame.shape).astype(np.float32)
    blind = {m.column: abs(m([colour], case.frame, whole)[0]["whole"] - (m.exact or 0)) for m in metrics}
    rows = []
    for attack in attacks:
        waiting = iter(coalitions)
        while batch := list(islice(waiting, BATCH)):
            views = [case.view(coalition) for coalition in batch]
            generators = [np.random.default_rng(case.number) for _ in views]
            guesses = []
            for view, guess in zip(views, attack.reconstruct_many(views, generators), strict=True):
                canvas, seen = view.canvas()
                guesses.append(np.where(seen[..., None], canvas, guess))
            found = [m(guesses, case.frame, whole) for m in metrics]
            for index, coalition in enumerate(batch):
                values = {
                    m.column: 1 - abs(each[index]["whole"] - (m.exact or 0)) / blind[m.column]
                    for m, each in zip(metrics, found, strict=True)
                }
                rows.append({"coalition": coalition, "attack": attack.name, **values})
    return pd.DataFrame(rows)


def every_leakage(done: Path) -> pd.DataFrame:
    """Return one row a number of servers, scene and coalition: the largest leakage over attacks, by each distance.

    Args:
        done: CSV file that keeps the rows; a study that was interrupted goes on behind them.
    """
    registry = Registry()
    built = [registry.create("attacks", name, {}) for name in ATTACKS]
    names = ("root_mean_square_error", "structural_similarity", "learned_perceptual_similarity")
    metrics = [registry.create("metrics", name, {}) for name in names]
    for plugin in (*built, *metrics):
        plugin.prepare("cpu")
    rows = pd.read_csv(done) if done.exists() else pd.DataFrame({"servers": [], "scene": [], "coalition": []})
    for servers in SERVERS:
        for case in cases(servers):
            known = set(rows[(rows.servers == servers) & (rows.scene == case.number)].coalition)
            waiting = (each for each in case.evaluated() if _name(each) not in known)
            while batch := list(islice(waiting, BATCH)):
                found = leakages(case, batch, built, metrics if case.number < COMPARED else metrics[:1])
                best = found.drop(columns="attack").groupby("coalition", sort=False).max().reset_index()
                best["coalition"] = best.coalition.map(_name)
                rows = pd.concat([rows, best.assign(servers=servers, scene=case.number)])
                write_atomically(done, rows.to_csv(index=False).encode())
            print(f"{servers} servers, scene {case.number}", flush=True)
    return rows


def _name(coalition: Coalition) -> str:
    return " ".join(map(str, coalition))


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a number of servers, size, scene and distance: the worst of all, and of those searched.

    Args:
        rows: From `every_leakage`.
    """
    found = []
    for servers in SERVERS:
        for case in cases(servers):
            of_case = rows[(rows.servers == servers) & (rows.scene == case.number)].set_index("coalition")
            for c in SIZES:
                searched = [_name(each) for each in case.searched(c)]
                full = [_name(each) for each in case.every(c)]
                of_size = of_case.loc[[*dict.fromkeys([*full, *searched])]]
                for distance in of_case.columns[of_case.notna().all()].difference(["servers", "scene"]):
                    found.append(
                        {
                            "servers": servers,
                            "c": c,
                            "distance": distance,
                            "scene": case.number,
                            "coalitions": len(of_size),
                            "searched": len(searched),
                            "worst": of_size[distance].max(),
                            "worst searched": of_size.loc[searched, distance].max(),
                            "random": of_size.loc[full, distance].mean(),
                        }
                    )
    return pd.DataFrame(found)


def page(rows: pd.DataFrame) -> str:
    """Return the measured page of the rows of `compare`."""
    table = rows.groupby(["servers", "c", "distance"], sort=False).agg(
        scenes=("scene", "nunique"),
        coalitions=("coalitions", "max"),
        searched=("searched", "max"),
        worst=("worst", "mean"),
        found=("worst searched", "mean"),
        random=("random", "mean"),
    )
    table.insert(5, "behind", table["worst"] - table["found"])
    some = table[table["searched"] < table["coalitions"]].groupby("distance")["behind"]
    mean, most = (
        ", ".join(f"{value:.3f} by {name}" for name, value in each.items())
        for each in (some.mean(), some.max())
    )
    attacks = ", ".join(f"`{name}`" for name in ATTACKS)
    full = sum(comb(n, c) <= MOST_COALITIONS for n in SERVERS for c in SIZES)
    return f"""# Measured: the search for the worst coalition

A run evaluates every coalition where at most {MOST_COALITIONS} exist, and searches otherwise
([protocol](../reference/protocol.md)). Here all coalitions were evaluated as well, or {RANDOM} drawn at random
where there are more than {MOST}: of these `worst` is a lower bound. Windows are assigned as by default in
`ped_sam`, and leakage relates to the mean colour. For {full} of the {len(SERVERS) * len(SIZES)} sizes below a run
evaluates all.

- `worst`: the largest leakage that {attacks} reached from any coalition; the mean over scenes
- `found`: the same over the coalitions of the search; `behind` is what it stays behind
- `random`: the mean over coalitions

Over the sizes that it does not evaluate in full, the search stays behind {mean} on average, and {most} at most.

{table.reset_index().to_markdown(index=False, floatfmt=".3f")}

Made by `python -m tools.studies.coalition_search`.
"""


def main() -> None:
    """Measure and write the page; an interrupted study goes on behind the rows that it kept in `build/`."""
    done = Path("build", "coalition_search.csv")
    done.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(compare(every_leakage(done))), encoding="utf-8")


if __name__ == "__main__":
    main()

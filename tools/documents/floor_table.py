"""The table of learned completions against the best floor, from a run."""

from __future__ import annotations

from math import inf
from pathlib import Path

from pedbench.report.numbers.tidy import privacy
from pedbench.report.tables.table import Table, columns
from pedbench.report.words.inline import Code
from pedbench.report.words.text import NOTHING
from pedbench.results.run import load

_METRICS = {"PSNR": "{:.2f}", "LPIPS-scoring": "{:.3f}"}
"""Formats of the numbers of a metric."""


def against_floors(run_dir: Path) -> str:
    """Tabulate what attacks with a model make of the part that `ped_sam` hides from the worst server.

    The best floor is the one of the highest PSNR with the fewest servers.

    Raises:
        FileNotFoundError: The directory holds no run.
    """
    run = load(run_dir)
    labels = run.matching("ped_sam", {"weights": "fine-tuned"})
    servers = {label: run.defenses[label]["params"]["servers"] for label in labels}
    pairs = [
        (label, metric) for label in sorted(labels, key=lambda each: servers[each]) for metric in _METRICS
    ]
    frame = privacy(run)
    hidden = frame[(frame["region"] == "hidden") & (frame["c"] == "1") & frame["defense"].isin(labels)]
    numbers = hidden.set_index(["attack", "defense", "metric"])
    value, scenes = numbers["value"].to_dict(), hidden.groupby("attack")["n"].max()
    cells = {run.attack(record): record for record in run.of_kind("privacy") if "attack" in record.cell}
    ranked = sorted(scenes.index, key=lambda attack: value.get((attack, *pairs[0]), -inf), reverse=True)
    best = next(attack for attack in ranked if cells[attack].attacker["floor"])
    rows = []
    for attack in ranked:
        if attack == best or "model" in cells[attack].cell["attack"]["params"]:
            few = f", {scenes[attack]} scenes" if scenes[attack] < scenes.max() else ""
            name = (Code(attack), ", the best floor" if attack == best else few)
            shown = [value.get((attack, *pair)) for pair in pairs]
            written = [
                _METRICS[metric].format(each) if each is not None else NOTHING
                for (_, metric), each in zip(pairs, shown, strict=True)
            ]
            rows.append([name, *written])
    heads = [f"{metric}, {servers[label]} servers" for label, metric in pairs]
    return Table(columns=columns("guess", text=True) + columns(*heads), rows=rows).markdown()

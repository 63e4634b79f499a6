"""Effect of servers, coalitions and assignments on privacy, from a run: `python -m tools.studies.curves RUN`."""

from __future__ import annotations

import shutil
from pathlib import Path

from pedbench.report.outputs.content import gather
from pedbench.report.tables.attacks import coalition_tables
from pedbench.report.tables.axes import claims_tables
from pedbench.report.words.text import code
from pedbench.results.run import load
from tools.documents.measured_blocks import DOCS, measured
from tools.documents.tables import results

FIGURES = ("sweep_ped_sam_servers", "coalitions")

STUDIED = "ped_sam"
"""The defense whose coalitions and assignments are shown."""


def curves(run_dir: Path) -> str:
    """Make all tables of docs/measured/curves.md.

    Raises:
        FileNotFoundError: The directory holds no run.
        ValueError: The run is no run to show.
    """
    content = gather(load(run_dir))
    frames, suite = content.frames, content.run.suite
    attacks = ", ".join(code(name) for name in dict.fromkeys(choice.name for choice in suite.attacks))
    claims, coalitions = frames["claims"], frames["coalition_curve"]
    received = claims[(claims["attack"] == "") & (claims["status"] == "ok") & (claims["probe"] == "ocr")]
    mine = received[received["defense"].str.startswith(STUDIED) & (received["c"] == "1")]
    studied = coalitions[coalitions["defense"].str.startswith(STUDIED)]
    parts = [
        results(run_dir),
        f"Attacks: {attacks}, each that draws from chance {suite.seeds} times.",
        "## Coalitions",
        *(f"{table.title}:\n\n{table.markdown()}" for table in coalition_tables(studied)),
        "## Words that one server reads",
        *(table.markdown() for table in claims_tables(mine, content.flags)),
    ]
    return "\n\n".join(parts)


@measured("measured/curves.md", "curves")
def main(run: Path) -> str:
    """Fill docs/measured/curves.md from a run of mini-full, and copy its figures."""
    text = curves(run)
    for name in FIGURES:
        shutil.copyfile(run / "figures" / f"{name}.png", DOCS / "pictures" / f"{name}.png")
    return text


if __name__ == "__main__":
    main()

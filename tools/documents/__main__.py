"""Fill the documents with what was measured: `python -m tools.documents [RUN]`.

Writes the table of a run into README.md, the networks' scores into docs/measured/models.md where their manifest is
there, and docs/pictures from its exhibits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pedbench.models.manifest import ASSETS
from tools.documents.drawings import draw_all
from tools.documents.measured_blocks import DOCS, replace_block
from tools.documents.tables import against_floors, attackers, models, results


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.documents",
        description="Fill README.md, docs/measured/models.md and docs/pictures with what was measured.",
    )
    parser.add_argument(
        "run",
        nargs="?",
        type=Path,
        default=DOCS.parent / "reports" / "latest",
        help="a run directory; the newest without it",
    )
    parser.add_argument("--to", type=Path, default=DOCS.parent, help="another copy of the documents")
    options = parser.parse_args()
    replace_block(options.to / "README.md", "results", results(options.run))
    replace_block(options.to / "docs" / "measured" / "models.md", "floors", against_floors(options.run))
    manifest = ASSETS / "manifest.json"
    if manifest.is_file():
        replace_block(options.to / "docs" / "measured" / "models.md", "networks", models(manifest))
        replace_block(options.to / "docs" / "measured" / "models.md", "attackers", attackers(manifest))
    else:
        print(f"docs/measured/models.md stays as it is: there is no {manifest}")
    draw_all(options.to / "docs" / "pictures", options.run)


if __name__ == "__main__":
    main()

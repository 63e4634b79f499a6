"""Fill the documents with what was measured: `python -m docs.illustrate [RUN]` in the checkout.

Writes the table of a run into README.md, the networks' scores into docs/models.md where their manifest is there,
and docs/pictures from its exhibits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from docs.blocks import attackers, models, replace_block, results
from docs.drawings import draw_all
from pedbench.models.manifest import ASSETS

DOCS = Path(__file__).parent


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.illustrate",
        description="Fill README.md, docs/models.md and docs/pictures with what was measured.",
    )
    parser.add_argument(
        "run",
        nargs="?",
        type=Path,
        default=DOCS.parent / "reports" / "latest",
        help="a run directory; the newest without it",
    )
    parser.add_argument("--to", type=Path, default=DOCS.parent, help="another copy of the documents")
    given = parser.parse_args()
    replace_block(given.to / "README.md", "results", results(given.run))
    manifest = ASSETS / "manifest.json"
    if manifest.is_file():
        replace_block(given.to / "docs" / "models.md", "networks", models(manifest))
        replace_block(given.to / "docs" / "models.md", "attackers", attackers(manifest))
    else:
        print(f"docs/models.md stays as it is: there is no {manifest}")
    draw_all(given.to / "docs" / "pictures", given.run)


if __name__ == "__main__":
    main()

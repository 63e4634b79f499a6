"""Check a proposed submission to the leaderboard, as the workflow of pull requests does.

    python -m tools.leaderboard_check PROPOSED --changed FILE --out FOLDER

PROPOSED is a checkout of the proposal, FILE lists the paths that it changes, one a line. The proposal may add or
change one submission alone, `leaderboard/submissions/NAME/`, so it cannot bring an outcome of a verification along.
The submission is verified on a sample that is drawn here; the outcome, and the leaderboard with it, are written to
FOLDER. The exit status is 1 if the submission is refused or not verified, and 2 if the proposal cannot be checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pedbench.cli import main as pedbench
from pedbench.report.leaderboard.site import write_leaderboard
from pedbench.report.leaderboard.submission import read_card
from pedbench.results.run_directory import PLUGINS, refuse_links_out
from pedbench.results.verification import LEAST_CELLS, LEAST_PICTURES

SUBMISSIONS = Path("leaderboard", "submissions")

MOST_BYTES = 200_000_000
"""Largest size of a submission."""


def proposed_name(changed: Sequence[str]) -> str:
    """Return the name of the one submission to which all changed paths belong.

    Raises:
        ValueError: They belong to several, or to something else.
    """
    owners = {path: _owner(path) for path in changed}
    name = next(iter(owners.values()), "")
    if not name or set(owners.values()) != {name}:
        foreign = [path for path, owner in owners.items() if owner != name or not name]
        raise ValueError(
            f"a proposal adds files to one folder {SUBMISSIONS}/NAME and to nothing else, found "
            f"{', '.join(foreign[:5]) or 'no change'}."
        )
    return name


def _owner(path: str) -> str:
    """Return the submission to which a path belongs; empty for other paths."""
    parts = Path(path).parts
    return parts[2] if parts[:2] == SUBMISSIONS.parts and len(parts) > 3 and ".." not in parts else ""


def check(directory: Path, out: Path, cells: int = LEAST_CELLS, pictures: int = LEAST_PICTURES) -> bool:
    """Verify a submission, write the outcome and the leaderboard, and return whether it is verified.

    Raises:
        ValueError: The folder holds links out of it, is too large, or cannot be verified.
        OSError: It has no card.
    """
    refuse_links_out(directory)
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    if size > MOST_BYTES:
        raise ValueError(f"{directory} has {size:,} bytes, at most {MOST_BYTES:,} are expected.")
    read_card(directory)
    outcome = out / "verifications" / f"{directory.name}.json"
    outcome.unlink(missing_ok=True)
    words = ["--cells", str(cells), "--pictures", str(pictures), "--save", str(outcome)]
    if (directory / PLUGINS).is_dir():
        words += ["--plugin", str(directory / PLUGINS)]
    try:
        pedbench(["verify", str(directory), *words])
    except SystemExit as left:
        if not outcome.is_file():
            raise ValueError(f"{directory.name} cannot be verified (exit status {left.code}).") from None
    (submission,) = write_leaderboard([directory], out / "site", outcome.parent)
    print(f"{submission.slug}: {submission.status}{f', {submission.reason}' if submission.reason else ''}")
    return submission.status == "verified"


def main() -> None:
    """Check a proposal, and exit with 0 if its submission is verified."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("proposed", type=Path)
    parser.add_argument("--changed", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        name = proposed_name(arguments.changed.read_text(encoding="utf-8").splitlines())
        verified = check((arguments.proposed / SUBMISSIONS / name).absolute(), arguments.out)
    except (ValueError, OSError) as error:
        print(f"leaderboard_check: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(not verified)


if __name__ == "__main__":
    main()

"""Build the site into `build/docs/site` and check it: `python -m tools.pages [RUN]`.

RUN is a run directory, whose report and leaderboard become part of the site; by default the newest run, if any.
The exit status is 1 if the builder warns, a link leads nowhere, or a page loads anything from elsewhere.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tomli_w
import tomllib

from pedbench.report.leaderboard.site import write_leaderboard
from pedbench.report.leaderboard.submission import CARD
from pedbench.results.run import load
from tools.pages.checking import faults
from tools.pages.staging import FOLDER, ROOT, navigation, stage

SUBMISSIONS, VERIFICATIONS = ROOT / "leaderboard" / "submissions", ROOT / "leaderboard" / "verifications"

BUILD = ROOT / "build" / "docs"


def build(folder: Path, run: Path | None) -> list[str]:
    """Build the site into `folder/site`, and return what is wrong with it."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    stage(pages)
    board = _leaderboard(pages / "leaderboard", run)
    further = [("Leaderboard", "leaderboard.md")] if board else []
    if board:
        (pages / "leaderboard.md").write_text(board, encoding="utf-8")
    config = tomllib.loads((FOLDER / "zensical.toml").read_text(encoding="utf-8"))
    config["project"]["plugins"]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(ROOT)]
    config["project"]["nav"] = navigation(pages, further)
    (folder / "zensical.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    words = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--strict",
        "--config-file",
        str(folder / "zensical.toml"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return list(faults(folder / "site"))


def _leaderboard(out: Path, run: Path | None) -> str:
    """Write the leaderboard of all submissions and a run, and return the page that leads to it; empty without any."""
    directories = sorted(path for path in SUBMISSIONS.glob("*/") if path.is_dir())
    with tempfile.TemporaryDirectory() as scratch:
        if run is not None:
            directories.append(_shipped(run, Path(scratch)))
        if not directories:
            return ""
        found = write_leaderboard(directories, out, VERIFICATIONS)
    lines = [
        f"- [{each.card.name if each.card else each.slug}](leaderboard/runs/{each.slug}/report.html): {each.status}"
        for each in found
        if each.run is not None
    ]
    intro = "Submitted runs for each version of a suite: [the leaderboard](leaderboard/index.html). [How to submit]("
    return "\n".join(
        [
            "# Leaderboard",
            "",
            f"{intro}docs/reference/submitting_runs.md) a run.",
            "",
            "Reports:",
            "",
            *lines,
            "",
        ]
    )


def _shipped(run: Path, scratch: Path) -> Path:
    """Copy a run of this checkout, with a card."""
    directory = Path(shutil.copytree(run.resolve(), scratch / run.resolve().name.replace(".", "-").lower()))
    moments = sorted(str(record.provenance.get("utc", "")) for record in load(directory).records)
    card = {"name": "The defenses of pedbench", "authors": ["The authors of pedbench"]}
    text = tomli_w.dumps(card) + f"date = {moments[-1][:10]}\n"
    (directory / CARD).write_text(text, encoding="utf-8")
    return directory


def main(words: Sequence[str] | None = None) -> None:
    """Build and check the site, and exit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?")
    newest = ROOT / "reports" / "latest"
    run = parser.parse_args(words).run or (newest if newest.is_dir() else None)
    found = build(BUILD, run)
    for sentence in found:
        print(sentence)
    if found:
        sys.exit(1)
    print(f"Site: {BUILD / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()

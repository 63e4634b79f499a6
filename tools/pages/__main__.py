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
from datetime import date
from pathlib import Path

import tomli_w
import tomllib

from pedbench.report.leaderboard.site import write_leaderboard
from pedbench.report.leaderboard.submission import CARD
from pedbench.results.records import RECORDS
from tools.pages.checking import faults
from tools.pages.staging import FOLDER, ROOT, navigation, stage

SUBMISSIONS, VERIFICATIONS = ROOT / "leaderboard" / "submissions", ROOT / "leaderboard" / "verifications"

BUILD = ROOT / "build" / "docs"


def build(folder: Path, run: Path | None) -> list[str]:
    """Build the site into `folder/site`, and return what is wrong with it."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    stage(pages)
    runs = _runs(pages / "leaderboard", run)
    if runs:
        (pages / "runs.md").write_text(runs, encoding="utf-8")
    config = tomllib.loads((FOLDER / "zensical.toml").read_text(encoding="utf-8"))
    config["project"]["plugins"]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(ROOT)]
    config["project"]["nav"] = navigation(pages, ["runs.md"] if runs else [])
    (folder / "zensical.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    words = ["zensical", "build", "--strict", "--config-file", str(folder / "zensical.toml")]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return list(faults(folder / "site"))


def _runs(out: Path, run: Path | None) -> str:
    """Write the leaderboard of all submissions and a run, and return the page that leads to it; empty without any."""
    directories = sorted(path for path in SUBMISSIONS.glob("*/") if path.is_dir())
    page = """# Runs

[The leaderboard](leaderboard/index.html) has all submitted runs, a page for each version of a suite.
[Submitting runs](docs/reference/submitting_runs.md) says how to add one.
"""
    with tempfile.TemporaryDirectory() as scratch:
        if run is not None:
            directories.append(_shipped(run.resolve(), Path(scratch)))
            report = f"leaderboard/runs/{directories[-1].name}/report.html"
            page += f"""
## The defenses of pedbench

[The report]({report}) of the newest run:

<iframe src="{report}" title="Report" loading="lazy" style="width: 100%; height: 80vh; border: 0"></iframe>
"""
        if not directories:
            return ""
        newest = write_leaderboard(directories, out, VERIFICATIONS)[-1]
    if run is not None and newest.run is None:
        raise ValueError(f"{run} has no place on the leaderboard: {newest.reason}")
    return page


def _shipped(run: Path, scratch: Path) -> Path:
    """Copy a run of this checkout, with a card."""
    directory = Path(shutil.copytree(run, scratch / run.name.replace(".", "-").lower()))
    finished = date.fromtimestamp((directory / RECORDS).stat().st_mtime)
    card = {"name": "The defenses of pedbench", "authors": ["The authors of pedbench"], "date": finished}
    (directory / CARD).write_text(tomli_w.dumps(card), encoding="utf-8")
    return directory


def main(words: Sequence[str] | None = None) -> None:
    """Build and check the site, and exit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?")
    newest = ROOT / "reports" / "latest"
    run = parser.parse_args(words).run or (newest if newest.is_dir() else None)
    try:
        found = build(BUILD, run)
    except (ValueError, OSError) as error:
        sys.exit(f"tools.pages: {error}")
    for sentence in found:
        print(sentence)
    if found:
        sys.exit(1)
    print(f"Site: {BUILD / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()

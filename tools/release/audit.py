"""Look for known weaknesses of the pinned versions: `python -m tools.release.audit` in the checkout, or `make audit`.

Every installed package that pedbench needs has to be pinned in constraints.txt, and to be of that version. The pinned
versions are then looked up by pip-audit, if it is installed and its database can be reached. Otherwise the reason is
printed, and the exit status is 0.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PINS = Path(__file__).parents[2] / "constraints.txt"
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
_TOOLS = {"pip", "setuptools", "wheel"}
"""Packages that `pip freeze` leaves out, as every environment has its own."""


def main() -> None:
    """Read the command line, check and print."""
    parser = argparse.ArgumentParser(prog="python -m tools.release.audit", description=__doc__)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that the look-up may take")
    options = parser.parse_args()
    wrong = list(unpinned(pins(PINS.read_text(encoding="utf-8"))))
    for line in wrong:
        print(line)
    sys.exit(1 if look_up(options.timeout) or wrong else 0)


def pins(text: str) -> dict[str, str]:
    """Read versions by normalised name."""
    return {_normal(name): version for name, version in _PIN.findall(text)}


def unpinned(pinned: dict[str, str], package: str = "pedbench") -> Iterator[str]:
    """Yield a sentence for each package that is installed without a pin, or in another version."""
    for name in sorted(needed(package) - {package} - _TOOLS):
        version = metadata.version(name)
        if name not in pinned:
            yield f"{name} {version} is not pinned: run `make lock`."
        # Builds of one version for other hardware count as that version.
        elif pinned[name].partition("+")[0] != version.partition("+")[0]:
            yield f"{name} is {version}, pinned is {pinned[name]}: run `make lock`, or install that."


def needed(package: str) -> set[str]:
    """Collect a package with all its extras, and all installed ones that it needs, by normalised name."""
    extras = {"", *(metadata.metadata(package).get_all("Provides-Extra") or ())}
    found: set[str] = set()
    due = [(_normal(package), extra) for extra in extras]
    seen: set[tuple[str, str]] = set()
    while due:
        name, extra = due.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        for each in map(Requirement, requires):
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                due += [(_normal(each.name), extra) for extra in ("", *each.extras)]
    return found


def look_up(timeout: float) -> bool:
    """Ask pip-audit, and return whether it knows of a weakness."""
    program = Path(sys.executable).with_name("pip-audit")
    command = str(program) if program.is_file() else shutil.which("pip-audit")
    if command is None:
        print(
            "known weaknesses were not looked up: pip-audit is not installed: pip install 'pedbench[audit]'."
        )
        return False
    arguments = ["--requirement", str(PINS), "--no-deps", "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(
            [command, *arguments, "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        answer = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        print(f"known weaknesses were not looked up: no answer within {timeout:.0f} s.")
        return False
    except (ValueError, KeyError):
        print(f"known weaknesses were not looked up: {done.stderr.strip().splitlines()[-1:]}")
        return False
    return weaknesses(answer)


def weaknesses(answer: Sequence[Mapping[str, Any]]) -> bool:
    """Print the answer of pip-audit, and return whether there is a weakness."""
    weak = False
    for each in answer:
        for known in each.get("vulns", ()):
            weak = True
            better = ", ".join(known["fix_versions"]) or "no version yet"
            print(f"{each['name']} {each['version']}: {known['id']}, fixed in {better}.")
    unknown = [each["name"] for each in answer if "skip_reason" in each]
    if len(unknown) == len(answer):
        print("known weaknesses were not looked up: the database knows none of the packages from here.")
    else:
        print(f"looked up {len(answer) - len(unknown)} of {len(answer)} pinned versions.")
    return weak


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()

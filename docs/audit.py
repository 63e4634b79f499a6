"""Look for known weaknesses of the pinned versions: `python -m docs.audit` in the checkout, or `make audit`.

Every installed package that pedbench needs has to be pinned in constraints.txt, and to be of that version. The pinned
versions are then looked up by pip-audit, if it is installed and its database can be reached; if not, that is told, and
is no failure.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PINS = Path(__file__).parents[1] / "constraints.txt"
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")
_UNREACHABLE = (
    "ConnectionError",
    "Max retries",
    "timed out",
    "Temporary failure",
    "ServiceError",
    "HTTPError",
)


def main() -> None:
    """Read the command line, look and tell."""
    parser = argparse.ArgumentParser(prog="python -m docs.audit", description=__doc__)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that the look-up may take")
    told = parser.parse_args()
    wrong = list(unpinned(pins(PINS.read_text(encoding="utf-8"))))
    for line in wrong:
        print(line)
    sys.exit(1 if look_up(told.timeout) or wrong else 0)


def pins(text: str) -> dict[str, str]:
    """Versions by normalised name."""
    return {_normal(name): version for name, version in _PIN.findall(text)}


def unpinned(pinned: dict[str, str], package: str = "pedbench") -> Iterator[str]:
    """What is installed for a package without being pinned, or in another version."""
    for name in sorted(needed(package) - {package}):
        version = metadata.version(name)
        if name not in pinned:
            yield f"{name} {version} is not pinned: run `make lock`."
        # Builds of one version for other hardware count as that version.
        elif pinned[name].partition("+")[0] != version.partition("+")[0]:
            yield f"{name} is {version}, pinned is {pinned[name]}: run `make lock`, or install that."


def needed(package: str) -> set[str]:
    """The package and all installed ones that it needs, by normalised name."""
    found: set[str] = set()
    due = [_normal(package)]
    while due:
        name = due.pop()
        if name in found:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        due += [_normal(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0]) for each in requires]
    return found


def look_up(timeout: float) -> bool:
    """Ask pip-audit; whether it knows of a weakness."""
    program = Path(sys.executable).with_name("pip-audit")
    command = str(program) if program.is_file() else shutil.which("pip-audit")
    if command is None:
        print("known weaknesses were not looked up: pip-audit is not installed (`pip install pip-audit`).")
        return False
    arguments = ["--requirement", str(PINS), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        print(f"known weaknesses were not looked up: no answer within {timeout:.0f} s.")
        return False
    if done.returncode and any(sign in done.stderr for sign in _UNREACHABLE):
        print("known weaknesses were not looked up: the database cannot be reached from here.")
        return False
    print(done.stdout.strip() or done.stderr.strip())
    return done.returncode != 0


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()

"""The page about a first contact, made from the files of its steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pedbench.report.words.text import quantity, table
from tools.first_contact.steps import STEPS

ROOT = Path(__file__).parents[2]

LOG_LINES = 15
"""Last lines of a failed step's output that the page shows."""

TIMED_OUT = {"124", "137"}
"""Exit statuses of `timeout` when the time was over."""

UNTRIED = (
    "Nothing of this version of pedbench had been tried on a GPU when it was released. Whatever looks wrong below may "
    "be wrong: please post the whole page."
)

WITHOUT_GPU = (
    "**This page was made on a CPU and says nothing about any GPU: nothing has been tried on one yet.** It shows that "
    "the script works."
)

SMALL = "**Small networks, few pictures and few steps: no number below measures anything.**"


def page(folder: Path, device: str) -> str:
    """Return the page as Markdown.

    Args:
        folder: Folder with `STEP.json` of each completed step, and `STEP.log` and `STEP.status` of each step
            that was tried.
        device: Torch's name of the device, for the heading.
    """
    found = {
        name: json.loads(file.read_text()) for name in STEPS if (file := folder / f"{name}.json").exists()
    }
    notes = [UNTRIED if device.startswith("cuda") else WITHOUT_GPU]
    if any(each["small"] for each in found.values()):
        notes.append(SMALL)
    outcomes = [
        [
            step.title,
            _outcome(name, folder, found),
            quantity(found[name]["seconds"], "s") if name in found else "",
        ]
        for name, step in STEPS.items()
    ]
    sections = [f"## {step.title}\n\n{_section(name, folder, found)}" for name, step in STEPS.items()]
    head = f"# First contact with {_device_name(found, device)}"
    text = "\n\n".join([head, *notes, table(["step", "outcome", "time"], outcomes, 2), *sections])
    return _without_paths(text) + "\n"


def _device_name(found: dict[str, Any], device: str) -> str:
    if "environment" not in found:
        return device
    name: str = found["environment"]["result"]["facts"]["device_name"]
    return name


def _outcome(name: str, folder: Path, found: dict[str, Any]) -> str:
    if name in found:
        return "done"
    status = _status(name, folder)
    if status is None:
        return "not tried"
    return "**out of time**" if status in TIMED_OUT else f"**failed**, exit status {status}"


def _status(name: str, folder: Path) -> str | None:
    file = folder / f"{name}.status"
    return file.read_text().strip() if file.exists() else None


def _section(name: str, folder: Path, found: dict[str, Any]) -> str:
    if name in found:
        return STEPS[name].show(found[name]["result"])
    log = folder / f"{name}.log"
    if not log.exists():
        return "Not tried."
    last = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join(["The last lines of its output:", "", *(f"    {line}" for line in last)])


def _without_paths(text: str) -> str:
    """Return the text without the names of this machine's folders."""
    return text.replace(str(ROOT), ".").replace(str(Path.home()), "~")

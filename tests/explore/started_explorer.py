"""The explorer as a process, and what a person does on its page."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chromium import Keys

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "measure" / "plugins"
PATIENCE = 180


@dataclass(frozen=True, kw_only=True)
class Running:
    """An explorer process.

    Attributes:
        address: With the token.
        marker: A variable that it and all that it starts have in their environment.
        folder: Where it was started.
    """

    process: subprocess.Popen[str]
    address: str
    marker: str
    folder: Path

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].split("/")[0])

    def pids(self) -> list[int]:
        """Return the processes that live, this one's and those that it started."""
        found = []
        for file in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.marker.encode() in file.read_bytes():
                    found.append(int(file.parent.name))
            except OSError:
                continue
        return found


@contextmanager
def started(folder: Path) -> Iterator[Running]:
    """Start an explorer with plugins of the tests in a folder, and end it."""
    marker = f"EXPLORER_OF_TESTS={uuid.uuid4()}"
    plugins = [
        argument for name in ("endless", "stumbles") for argument in ("--plugin", PLUGINS / f"{name}.py")
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict([marker.split("=")])}
    command = [sys.executable, "-m", "pedbench", "explore", "--no-browser", *map(str, plugins)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        yield Running(process=process, address=found[0], marker=marker, folder=folder)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(PATIENCE)


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


def text(browser: Any, selector: str) -> str:
    found: str = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText).join('\\n')",
        selector,
    )
    return found


def guessed(browser: Any, attack: str = "nearest_pixel") -> bool:
    return text(browser, ".guessed .caption").startswith(f"guess of {attack} in")


def overlays(browser: Any, selector: str) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0] + ' svg image')].map((each) => each.href.baseVal)",
        selector,
    )
    return found


def choose(browser: Any, kind: str, name: str) -> None:
    """Choose a plugin in its menu, by typing."""
    field = browser.find_element("css selector", f"input[aria-label={kind}]")
    field.click()
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(name)
    options = (
        "return [...document.querySelectorAll('.q-menu .q-item')].filter((e) => e.innerText === arguments[0])"
    )
    until(lambda: browser.execute_script(options, name))[0].click()


def press(
    browser: Any, selector: str, place: tuple[float, float], to: tuple[float, float] | None = None
) -> None:
    """Press the mouse on a picture at shares of its width and height, and drag it."""
    box = browser.execute_script(
        "const r = document.querySelector(arguments[0]).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]",
        selector,
    )
    ends = [(box[0] + x * box[2], box[1] + y * box[3]) for x, y in (place, to or place)]
    for kind, (x, y) in zip(("mousePressed", "mouseReleased"), ends, strict=True):
        browser.execute_cdp_cmd(
            "Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
        )


def answer_to(running: Running, method: str, path: str, cookie: str, **headers: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)) as connection:
        connection.putrequest(method, path)
        for name, value in {"Cookie": cookie, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.getresponse() as answer:
            return answer.status, answer.read()

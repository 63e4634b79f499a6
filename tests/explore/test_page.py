"""The explorer in a real browser: one process for all tests, as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from pedbench.explore.pictures import MAX_BYTES
from tests.chromium import Keys, chromium, least_contrast, resized
from tests.explore.started_explorer import (
    PATIENCE,
    Running,
    answer_to,
    choose,
    guessed,
    overlays,
    press,
    started,
    text,
    until,
)

pytest.importorskip("nicegui")
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("started")) as explorer:
        yield explorer


@pytest.fixture(scope="module")
def browser(running: Running) -> Iterator[Any]:
    with chromium() as driver:
        resized(driver, 1400, 900)
        driver.get(running.address)
        yield driver


@pytest.fixture
def page(browser: Any) -> Any:
    """The page, once its first picture went through the default defense and was guessed."""
    until(lambda: guessed(browser))
    return browser


def test_click_and_box_change_the_masks(page: Any) -> None:
    assert text(page, ".prompted .caption").count("IoU") == 2
    before = overlays(page, ".prompted")
    assert len(before) == 2
    press(page, ".prompted img", (0.5, 0.9))
    until(lambda: overlays(page, ".prompted") != before)
    clicked = overlays(page, ".prompted")
    press(page, ".prompted img", (0.1, 0.1), (0.9, 0.8))
    until(lambda: page.find_elements("css selector", ".prompted svg rect"))
    until(lambda: overlays(page, ".prompted") != clicked)


def test_coalition_grows_by_chips_and_by_the_grid(page: Any) -> None:
    assert "1 of 3 servers hold 32%" in text(page, ".held .caption")
    page.find_elements("css selector", ".chip")[2].click()
    until(lambda: "2 of 3 servers" in text(page, ".held .caption"))
    # The second window of the first row is server 2's.
    press(page, ".held img", (0.3, 0.1))
    until(lambda: "3 of 3 servers hold 100%" in text(page, ".held .caption"))
    until(lambda: guessed(page))
    # Nothing is hidden, so nothing is left to guess.
    until(lambda: re.search(r"RMSE ↓\s+0\.000", text(page, ".numbers")))
    for server in (2, 1):
        page.find_elements("css selector", ".chip")[server].click()
    until(lambda: "1 of 3 servers" in text(page, ".held .caption"))


def test_sweeping_servers_follows_the_slider(page: Any) -> None:
    slider = page.find_element("css selector", ".side .q-slider__track-container")
    page.execute_script("arguments[0].focus()", slider)
    for count in (4, 5):
        page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        expected = f"of {count} servers"
        until(lambda: expected in text(page, ".held .caption"))  # noqa: B023
        assert len(page.find_elements("css selector", ".chip")) == count
    assert text(page, ".gantt .lane span").splitlines()[-1] == "server 5"
    assert re.search(r"[\d.]+ kB\s+sent", text(page, ".tiles"))


def test_slow_attack_shows_that_it_works_and_is_cancelled(page: Any) -> None:
    choose(page, "attacks", "endless")
    until(lambda: "no guess of endless yet" in text(page, ".guessed .caption"))
    page.find_element("css selector", ".act button").click()
    until(lambda: "endless works" in text(page, ".attack .said"))
    cancel = page.find_elements("css selector", ".act button")[1]
    until(cancel.is_displayed)
    cancel.click()
    until(lambda: text(page, ".attack .said") == "Cancelled.", 30)
    choose(page, "attacks", "nearest_pixel")
    until(lambda: guessed(page))


def test_a_broken_defense_gives_a_sentence_and_the_next_one_runs(page: Any) -> None:
    choose(page, "defenses", "stumbles")
    until(lambda: "no such window" in text(page, ".latency .said"))
    assert text(page, ".held .caption") == ""
    choose(page, "defenses", "gaussian_blur")
    until(lambda: "1 of 1 servers hold 100% of the picture, 0% exactly" in text(page, ".held .caption"))
    choose(page, "defenses", "ped_sam")
    until(lambda: "of 3 servers" in text(page, ".held .caption"))


def test_suite_of_the_page_is_copied(page: Any) -> None:
    page.find_element("css selector", "button.suite").click()
    toml = until(lambda: page.execute_script("return document.querySelector('.toml textarea')?.value"))
    assert 'name = "explored"' in toml
    assert 'name = "ped_sam"' in toml
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(lambda: not page.find_elements("css selector", ".toml"))


def test_two_tabs_look_at_two_pictures(page: Any, running: Running) -> None:
    first = page.current_window_handle
    until(lambda: guessed(page))
    seen = page.execute_script("return document.querySelector('.prompted img').src.length")
    page.switch_to.new_window("tab")
    page.get(f"http://127.0.0.1:{running.port}/")
    until(lambda: len(page.find_elements("css selector", ".tile")) == 8)
    page.find_elements("css selector", ".tile")[4].click()
    until(lambda: page.find_elements("css selector", ".tile.chosen:nth-child(5)"))
    until(lambda: guessed(page))
    assert page.execute_script("return document.querySelector('.prompted img').src.length") != seen
    page.close()
    page.switch_to.window(first)
    assert page.find_elements("css selector", ".tile.chosen:nth-child(1)")
    assert page.execute_script("return document.querySelector('.prompted img').src.length") == seen


def test_a_dropped_photograph_is_segmented_and_attacked(page: Any, tmp_path: Path) -> None:
    tiles = len(page.find_elements("css selector", ".tile"))
    upload = ("css selector", "input[type=file]")
    wrong = tmp_path / "notes.png"
    wrong.write_text("no picture")
    page.find_element(*upload).send_keys(str(wrong))
    until(lambda: "notes.png: is no picture" in text(page, ".side .said"))
    before = overlays(page, ".prompted")
    photograph = tmp_path / "astronaut.jpg"
    Image.fromarray(data.astronaut()).save(photograph)
    page.find_element(*upload).send_keys(str(photograph))
    until(lambda: len(page.find_elements("css selector", ".tile")) == tiles + 1)
    until(lambda: "agreement" in text(page, ".prompted .caption"))
    assert "IoU" not in text(page, ".prompted .caption")
    assert overlays(page, ".prompted") != before
    until(lambda: guessed(page))
    until(lambda: "Words read" in text(page, ".words") or "reading" not in text(page, ".words"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_page_fits_the_window_and_its_words_stand_out(page: Any, width: int, scheme: str) -> None:
    resized(page, width, 900, scheme)
    until(lambda: page.execute_script("return innerWidth") == width)
    until(lambda: bool(page.find_elements("css selector", "body.body--dark")) == (scheme == "dark"))
    time.sleep(0.5)
    root = "document.documentElement"
    assert page.execute_script(f"return {root}.scrollWidth - {root}.clientWidth") == 0
    words = ".head p, .about, .caption, .numbers td, .numbers th, .words, .tiles span, .tiles b, .lane span, h1, h2"
    assert least_contrast(page, words) >= 4.5
    resized(page, 1400, 900)


def test_no_file_of_the_machine_is_served(page: Any, running: Running) -> None:
    (cookie,) = page.get_cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    known = f"{cookie['name']}={cookie['value']}"
    assert answer_to(running, "GET", "/", known)[0] == 200
    assert answer_to(running, "GET", "/", "")[0] == 403
    html = answer_to(running, "GET", "/", known)[1].decode()
    version = re.search(r"/_nicegui/([\d.]+)/", html)
    assert version
    assert re.findall(r"""(?:src|href)=["']https?:""", html) == []
    base = f"/_nicegui/{version[1]}"
    inside = [f"{base}/{part}" for part in ("static", "resources/x", "components", "libraries", "esm/x")]
    climbs = [
        "../" * 12,
        "..%2f" * 12,
        "%2e%2e/" * 12,
        "..%5c" * 12,
        "....//" * 12,
        "/",
        "%2f",
        "file://",
        "file:",
    ]
    for start in (*inside, "/_nicegui", "/_nicegui/auto/static", ""):
        for climb in climbs:
            for target in ("etc/passwd", "/etc/passwd", "work/secret"):
                status, body = answer_to(running, "GET", f"{start}/{climb}{target}", known)
                assert b"root:" not in body, (start, climb, target)
                assert status in (400, 403, 404), (start, climb, target, status)
    for path in ("/docs", "/openapi.json", "/redoc"):
        assert answer_to(running, "GET", path, known)[0] == 404
    too_large = str(MAX_BYTES * 2)
    assert (
        answer_to(running, "POST", "/_nicegui/client/x/upload/1", known, **{"Content-Length": too_large})[0]
        == 413
    )


def test_only_loopback_is_spoken_to_and_nothing_is_left_behind(page: Any, running: Running) -> None:
    inodes = set()
    for pid in running.pids():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            inodes |= {target[8:-1]} if target.startswith("socket:[") else set()
    own = [
        line.split()
        for name in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        if line.split()[9] in inodes
    ]
    listening = [fields[1] for fields in own if fields[3] == "0A"]
    assert f"0100007F:{running.port:04X}" in listening
    loopback = ("0100007F:", "0" * 24 + "01000000:", "0" * 16 + "FFFF00000100007F:")
    assert [fields for fields in own if not fields[1].startswith(loopback)] == []
    log = " ".join(str(entry["message"]) for entry in page.get_log("performance"))
    known = (
        f"http://127.0.0.1:{running.port}",
        f"ws://127.0.0.1:{running.port}",
        f"blob:http://127.0.0.1:{running.port}",
        "data:",
        "about:",
        "chrome:",
    )
    assert [url for url in re.findall(r'"url":"([^"]+)"', log) if not url.startswith(known)] == []
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert list(running.folder.iterdir()) == []
    assert len(running.pids()) > 3
    running.process.terminate()
    assert running.process.wait(PATIENCE) == 128 + signal.SIGTERM
    until(lambda: running.pids() == [], 30)

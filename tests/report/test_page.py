"""The page, as a browser shows it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.report.outputs.writing import write_report
from pedbench.results.exhibits import Exhibit, write_exhibit
from pedbench.results.run import load
from pedbench.suites.cell import PluginIdentity
from pedbench.types import Secret
from tests.chromium import Keys, least_contrast, resized
from tests.report.conftest import BLUR, FLOOR, IMAGES, SPLIT_25

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the made run, with an exhibit under two defenses."""
    directory = Path(shutil.copytree(made.directory, tmp_path_factory.mktemp("page") / "run"))
    rng = np.random.default_rng(0)
    frame, guess = (rng.uniform(size=(48, 64, 3)).astype(np.float32) for _ in range(2))
    word = Secret(kind="text", content="<b>WAGON</b>", box=(16.0, 12.0, 32.0, 6.0))
    for defense in (BLUR, SPLIT_25):
        exhibit = Exhibit(image=IMAGES[0], frame=frame, secrets={("text", 0): word}, defense=defense)
        exhibit.masks = exhibit.seen = guess
        exhibit.received, exhibit.servers, exhibit.rule = "all, degraded", "0", ("1", 3)
        exhibit.guesses = [(FLOOR, guess), (PluginIdentity(name="gone", version=1), guess)][:1]
        write_exhibit(directory, exhibit)
    return write_report(load(directory)).with_suffix(".html")


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:
    browser.get_log("performance")
    browser.get(page.as_uri())
    return browser


def tab_to(browser: Any, element: Any) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(300):
        if browser.switch_to.active_element == element:
            return
        browser.switch_to.active_element.send_keys(Keys.TAB)
    raise AssertionError(f"no Tab leads to {element.tag_name} {element.text!r}")


def column(browser: Any, place: int) -> list[str]:
    cells = browser.find_elements("css selector", f"#overview .table:not(.reported) td:nth-child({place})")
    return [cell.text for cell in cells if cell.is_displayed()]


def test_page_is_sound_and_asks_for_nothing(opened: Any, page: Path) -> None:
    assert page.stat().st_size < 5_000_000
    assert [entry for entry in opened.get_log("browser") if entry["level"] != "INFO"] == []
    asked = re.findall(
        r'"url":"([^"]+)"', " ".join(str(entry["message"]) for entry in opened.get_log("performance"))
    )
    assert page.as_uri() in asked
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "chrome:"))] == []
    assert [url for url in asked if url.startswith("file:") and url != page.as_uri()] == []


def test_names_are_text(opened: Any, made: Any) -> None:
    assert opened.execute_script("return document.querySelectorAll('script').length") == 1
    assert opened.find_elements("css selector", "i, em, b b, a[href^=http]") == []
    named = column(opened, 1)
    assert any("<script>alert(1)</script> _x_ *y* [z](http://w) $q$" in name for name in named)


def test_headings_sort_by_number_and_what_has_none_stays_last(opened: Any) -> None:
    heads = opened.find_elements("css selector", "#overview .table:not(.reported) th button")
    place = next(index for index, head in enumerate(heads) if "mIoU" in head.text)

    def numbers() -> list[float]:
        return [float(match[0]) for text in column(opened, place + 1) if (match := re.match(r"[\d.]+", text))]

    tab_to(opened, heads[place])
    opened.switch_to.active_element.send_keys(Keys.ENTER)
    assert len(numbers()) == 4
    assert numbers() == sorted(numbers())
    assert column(opened, place + 1)[-1] == "failed"
    opened.switch_to.active_element.send_keys(Keys.SPACE)
    assert numbers() == sorted(numbers(), reverse=True)
    assert column(opened, place + 1)[-1] == "failed"
    # Seconds and milliseconds, bytes and kilobytes are one scale.
    assert opened.execute_script(
        "const cell = (text) => Object.assign(document.createElement('td'), {textContent: text});"
        "return [key(cell('1.20 s')), key(cell('30.4 ms')), key(cell('236.9 kB')), key(cell('≥ 0.5 [0.4, 0.6]')),"
        " key(cell('-0.032 [-0.064, 0.000] `x`')), key(cell('ped_sam 3'))]"
    ) == pytest.approx([1.2, 0.0304, 236900, 0.5, -0.032, None])


def test_lines_are_filtered(opened: Any) -> None:
    tab_to(opened, opened.find_element("css selector", "input[type=search]"))
    opened.switch_to.active_element.send_keys("BLUR")
    assert column(opened, 1) == ["blur"]


def test_flags_explain_themselves(opened: Any) -> None:
    mark = opened.find_element("css selector", "td abbr")
    assert mark.get_attribute("title").startswith("few pictures: fewer than 100")


def test_slider_uncovers_the_truth(opened: Any) -> None:
    tile = opened.find_element("css selector", ".over img")
    assert tile.value_of_css_property("clip-path") in (
        "inset(0px 0px 0px 0%)",
        "inset(0px)",
        "inset(0px 0px 0px)",
    )
    opened.execute_script(
        "const slider = document.querySelector('.exhibit input'); slider.value = 40;"
        "slider.dispatchEvent(new Event('input'))"
    )
    assert tile.value_of_css_property("clip-path") == "inset(0px 0px 0px 40%)"
    assert opened.execute_script("return arguments[0].naturalWidth", tile) == 64


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1400, 900)])
def test_page_is_as_wide_as_the_window(opened: Any, width: int, height: int) -> None:
    resized(opened, width, height)
    opened.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert opened.execute_script("return innerWidth") == width
    root = "document.documentElement"
    assert opened.execute_script(f"return {root}.scrollWidth - {root}.clientWidth") == 0
    wide = opened.execute_script(
        "return [...document.querySelectorAll('.table:not(.matrix)')]"
        ".filter((each) => each.scrollWidth > each.clientWidth).length"
    )
    assert wide == 0 or width < 1400


def test_a_picture_is_enlarged_and_compared_by_keyboard_alone(opened: Any) -> None:
    resized(opened, 1400, 900)
    tile = opened.find_element("css selector", ".matrix .over")
    tab_to(opened, tile)
    opened.switch_to.active_element.send_keys(Keys.ENTER)
    dialog = opened.find_element("css selector", "dialog[open]")
    large = dialog.find_element("css selector", ".over img")
    assert large.size["width"] > 2 * tile.size["width"]
    slider = dialog.find_element("css selector", "input")
    slider.send_keys(*[Keys.ARROW_RIGHT] * 7)
    assert large.value_of_css_property("clip-path") == "inset(0px 0px 0px 7%)"
    slider.send_keys(Keys.ESCAPE)
    assert opened.find_elements("css selector", "dialog[open]") == []
    assert opened.switch_to.active_element == tile


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(opened: Any, scheme: str) -> None:
    resized(opened, 1400, 900, scheme)
    # WCAG 2.1, 1.4.3, level AA.
    words = "p, td, th, code, a, li, dt, dd, summary, figcaption, button, strong, h1, h2, h3"
    assert least_contrast(opened, words) >= 4.5


def test_first_screen_and_what_folds(opened: Any) -> None:
    resized(opened, 1400, 900)
    order = opened.execute_script(
        "return ['.headline', '#results table', '#results .drawn'].map("
        "(each) => document.querySelector(each).getBoundingClientRect().top)"
    )
    assert order == sorted(order)
    assert order[1] < 450
    folded = opened.find_element("css selector", "#problems summary")
    assert re.fullmatch(r"Not measured: \d+ lines?", folded.text)
    assert not opened.find_element("css selector", "#problems li").is_displayed()
    tab_to(opened, folded)
    opened.switch_to.active_element.send_keys(Keys.ENTER)
    assert opened.find_element("css selector", "#problems li").is_displayed()

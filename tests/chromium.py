"""A real Chromium for tests of pages; importing this skips a test file where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("needs Debian's packages chromium and chromium-driver", allow_module_level=True)


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser that logs what the page says and asks for."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def resized(browser: Any, width: int, height: int, scheme: str = "light") -> None:
    """Give the page a size in pixels and a preferred colour scheme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


LEAST_CONTRAST = """
const light = (text) => {
  const parts = text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const ground = (each) => {
  for (let at = each; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "rgb(255, 255, 255)";
};
let least = 21;
for (const each of document.querySelectorAll(WORDS)) {
  const [one, other] = [light(getComputedStyle(each).color), light(ground(each))].sort((a, b) => b - a);
  if (each.innerText) least = Math.min(least, (one + 0.05) / (other + 0.05));
}
return least;
"""


def least_contrast(browser: Any, words: str) -> float:
    """Return the least contrast of the elements of a selector with their ground, as WCAG 2.1 defines it."""
    found: float = browser.execute_script(LEAST_CONTRAST.replace("WORDS", repr(words)))
    return found

"""Text lines from the package rapidocr: boxes, odd pictures, and nothing asked of the network."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFont

from pedbench.models.text_lines import NETWORKS, TextLines, TextLinesUnavailable

SILENT = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise RuntimeError(f"{event} {arguments}")
sys.addaudithook(refuse)
import numpy as np
from pedbench.models.text_lines import TextLines
TextLines(recognise=True)(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
assert "onnxruntime" in sys.modules
"""


@pytest.fixture(scope="module")
def lines() -> TextLines:
    pytest.importorskip("rapidocr")
    return TextLines(recognise=True, threads=1)


def _page(*words: tuple[str, int, int]) -> npt.NDArray[np.uint8]:
    image = Image.new("RGB", (480, 160), (240, 235, 220))
    font = ImageFont.truetype(str(files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"), 32)
    for word, left, top in words:
        ImageDraw.Draw(image).text((left, top), word, font=font, fill=(30, 20, 120))
    return np.asarray(image)


def test_lines_are_read_where_they_are(lines: TextLines) -> None:
    found = lines(_page(("HARBOR", 40, 20), ("WINDOW", 260, 100)))
    assert sorted(line.text for line in found) == ["HARBOR", "WINDOW"]
    for line in found:
        left, top = {"HARBOR": (40, 20), "WINDOW": (260, 100)}[line.text]
        x, y, width, height = line.box
        assert abs(x - left) < 10
        assert top - 5 < y < top + 20
        assert 100 < width < 190
        assert 20 < height < 60
        assert line.confidence > 0.9


def test_lines_are_found_without_being_read() -> None:
    pytest.importorskip("rapidocr")
    (line,) = TextLines(recognise=False)(_page(("HARBOR", 40, 20)))
    assert line.text == ""
    assert abs(line.box[0] - 40) < 10


def test_red_and_blue_are_not_exchanged(lines: TextLines, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[npt.NDArray[np.uint8]] = []

    class Nothing:
        boxes = None

    def engine(picture: npt.NDArray[np.uint8], **_: bool) -> Nothing:
        received.append(picture)
        return Nothing()

    monkeypatch.setattr(lines, "_engine", engine)
    assert lines(np.full((4, 5, 3), (1, 2, 3), np.uint8)) == []
    assert received[0][0, 0].tolist() == [3, 2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 320), (320, 1), (6, 640), (8, 8), (31, 500), (96, 64)])
def test_pictures_of_any_shape_are_read(lines: TextLines, size: tuple[int, int]) -> None:
    for seed in range(3):
        lines(np.random.default_rng(seed).integers(0, 2, (*size, 3), np.uint8) * np.uint8(255))


def test_networks_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = ModuleType("rapidocr")
    package.__file__ = str(tmp_path / "__init__.py")
    monkeypatch.setitem(sys.modules, "rapidocr", package)
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(TextLinesUnavailable, match=f"lacks the network .*{NETWORKS['Det']}"):
        TextLines(recognise=True)


@pytest.mark.slow
def test_nothing_is_downloaded_or_reported(tmp_path: Path) -> None:
    """onnxruntime's reports need an id of the device, which it keeps in the cache."""
    pytest.importorskip("rapidocr")
    cache = tmp_path / "cache"
    cache.mkdir()
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(cache),
        "HOME": str(cache),
        "ORT_DISABLE_TELEMETRY": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", SILENT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(cache.rglob("*")) == []

"""Names of files, categories and words of a real dataset are text in every form of a report."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from pedbench.report.outputs.terminal import print_overview
from pedbench.results.run import load

ATTACK = (
    '=cmd|x "><img src=x onerror=alert(1)><script>alert(2)</script> ![i](http://evil.example/i.png) '
    "\x1b]0;title\x07\x1b[31m \\input{/etc/passwd} \u202e"
)
ID = '=x"><img src=x onerror=alert(1)>'
PROBE = """
from dataclasses import dataclass
from pedbench.base import Claim, Probe

@dataclass(kw_only=True)
class Told(Probe):
    \"\"\"Claims a word that it knows.\"\"\"
    name = "told"
    version = 1
    reads = "text"
    side = 320
    def claims(self, picture):
        return [Claim(kind="text", content={word!r}, box=(80.0, 80.0, 160.0, 80.0), confidence=1.0)]
"""


class Tags(HTMLParser):
    """The attributes of all elements that fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def hostile(run_small: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run over one sound picture, one that cannot be read, and an annotation that cannot be used."""
    folder = tmp_path_factory.mktemp("hostile")
    data = folder / "data"
    (data / "images").mkdir(parents=True)
    (data / "annotations").mkdir()
    name = ATTACK.replace("/", "_").replace("\\", "_") + ".png"
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    Image.fromarray(noise).save(data / "images" / name)
    square = [[24.0, 24.0, 72.0, 24.0, 72.0, 72.0, 24.0, 72.0]]
    content = {
        "images": [{"id": ID, "file_name": name}, {"id": f"{ID} lost", "file_name": f"lost {name}"}],
        "categories": [{"id": 1, "name": ATTACK}],
        "annotations": [
            {"id": 1, "image_id": ID, "category_id": 1, "segmentation": square},
            {"id": 2, "image_id": ID, "category_id": 1, "segmentation": ATTACK},
        ],
        "secrets": [
            {"image_id": ID, "kind": "text", "content": ATTACK, "bbox": [24.0, 24.0, 48.0, 24.0]},
        ],
    }
    (data / "annotations" / "instances.json").write_text(json.dumps(content))
    probe = folder / "told.py"
    probe.write_text(PROBE.format(word=ATTACK))
    return run_small(
        folder / "run",
        [probe],
        report=True,
        dataset={"name": "coco", "params": {"data": str(data)}},
        defenses=[{"name": "full_offload", "latency": False}],
        attacks=["mean_colour"],
        metrics=["root_mean_square_error"],
        probes=[{"name": "told"}],
        coalitions=[{"c": 1, "m": 1}],
    )


@pytest.mark.long
def test_a_dataset_s_words_are_text(hostile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    page = (hostile.directory / "report.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    words = [values["title"] for _, values in tags.found if (values.get("title") or "").startswith("read: ")]
    assert words
    assert {word.removeprefix("read: ") for word in words if word} == {ATTACK}
    assert [tag for tag, _ in tags.found if tag == "script"] == ["script"]
    assert not [name for _, values in tags.found for name in values if name.startswith("on")]
    sources = [values.get(name) or "" for _, values in tags.found for name in ("src", "href")]
    assert [each for each in sources if each and not each.startswith(("data:", "#"))] == []
    written = [
        hostile.directory / "report.md",
        *hostile.directory.glob("tables/*.tex"),
    ]
    print_overview(load(hostile.directory))
    shown = [*(path.read_text(encoding="utf-8") for path in written), capsys.readouterr().out, hostile.said]
    for text in shown:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "cannot be read" in shown[0]
    tags = Tags()
    tags.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(shown[0]))
    sources = [values["src"] or "" for tag, values in tags.found if tag == "img"]
    assert all(source.startswith("figures/") for source in sources)
    assert not [tag for tag, _ in tags.found if tag in ("script", "a")]
    assert all("\\input{" not in text for text in shown[1:-2])
    for path in hostile.directory.glob("tables/*.csv"):
        assert not re.search(r'(^|,)"?[=+@]', path.read_text(encoding="utf-8"), re.MULTILINE)

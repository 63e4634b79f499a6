"""The plugins of `examples/` keep the rules, as an installed package and as files."""

from __future__ import annotations

import runpy
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli
from PIL import Image

import pedbench
from pedbench.adversary.hosted.painter import Painter
from pedbench.base import Hosted
from pedbench.checks import check
from pedbench.checks.samples import made_up_picture, make_view
from pedbench.plugins.attacks.mean_colour import MeanColour
from pedbench.registry import KINDS, Registry
from pedbench.suites.files import load_suite
from pedbench.suites.resolve import Overrides, resolve

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_LINES = 89


@pytest.fixture(name="registry")
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry after `pip install examples`."""
    project = tomli.loads((EXAMPLES / "pyproject.toml").read_text())["project"]
    installed = tmp_path / "site" / "pedbench_examples-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    (installed / "entry_points.txt").write_text(
        "\n".join(
            f"[{group}]\n{name} = {place}" for group, points in groups for name, place in points.items()
        )
    )
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.syspath_prepend(installed.parent)
    return Registry()


def broken(registry: Registry, name: str, params: dict[str, Any]) -> list[str]:
    (kind,) = (kind for kind in KINDS if name in registry.origins(kind))
    outcomes = list(check(registry.spec(kind, name, params), registry))
    assert outcomes
    return [
        f"{each.rule}: {each.problem or each.skipped}" for each in outcomes if each.problem or each.skipped
    ]


@pytest.mark.slow
def test_defenses_with_operations_of_their_own(registry: Registry) -> None:
    assert broken(registry, "small_luminance", {}) == []
    (tokens,) = broken(registry, "rounded_tokens", {})
    assert "encode_rounded_tokens: it shows tokens, which are not compared with pictures" in tokens


@pytest.mark.slow
def test_an_attack_trains_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def views(*_: Any, count: int, **__: Any) -> Iterator[Any]:
        for seed in range(count):
            frame = made_up_picture(np.random.default_rng(seed), (48, 64))
            yield make_view(MeanColour(), frame), frame

    monkeypatch.setattr(pedbench, "views", views, raising=False)
    registry = Registry([EXAMPLES / "pedbench_examples" / "learned_fill.py"])
    example = sys.modules[registry.plugin_class("attacks", "learned_fill").__module__]
    errors = {}
    for count in (0, 60):
        weights = tmp_path / f"{count}.safetensors"
        example.train(weights, count)
        attack = example.LearnedFill(weights=str(weights))
        attack.prepare("cpu")
        ((view, frame),) = views(count=1)
        errors[count] = np.square(attack.reconstruct(view, np.random.default_rng(0)) - frame).mean()
    assert errors[60] < errors[0]
    assert broken(registry, "learned_fill", {"weights": str(weights)}) == []


def test_a_dataset_of_png_masks(registry: Registry, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    levels = np.zeros((30, 40), np.uint8)
    levels[5:15, 5:20], levels[20:, 30:] = 3, 200
    for number, name in enumerate("abc"):
        Image.new("RGB", (40, 30), (60 * number, 90, 120)).save(tmp_path / "images" / f"{name}.jpg")
        Image.fromarray(levels[:, : 40 - number // 2]).save(tmp_path / "masks" / f"{name}.png")
    params = {"data": str(tmp_path)}
    assert broken(registry, "png_masks", params) == []
    dataset = registry.create("datasets", "png_masks", params)
    assert list(dataset.ids()) == ["a", "b"]
    assert "expected one level for each of (30, 40) pixels" in dataset.left_out["c"]
    assert {each.id: each.area for each in dataset[0].instances} == {3: 150, 200: 100}
    before = dataset.revision
    levels[0, 0] = 3
    Image.fromarray(levels).save(tmp_path / "masks" / "a.png")
    assert registry.create("datasets", "png_masks", params).revision != before


def test_the_suite_names_what_there_is(registry: Registry) -> None:
    suite = resolve(load_suite(str(EXAMPLES / "own_mini.toml")), Overrides(), registry)
    rounded = [choice.params["levels"] for choice in suite.defenses if choice.name == "rounded_tokens"]
    assert rounded == [1, 7, 127]
    assert "pixelate" not in {choice.name for choice in suite.defenses}
    assert "learned_fill" in {choice.name for choice in suite.attacks}


@pytest.mark.parametrize("file", sorted(EXAMPLES.rglob("*.py")), ids=lambda file: file.stem)
def test_examples_are_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MOST_LINES


def test_the_inpainting_server_answers_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `hosted_inpaint(provider="form")` sends reaches the pipeline as it was, and what that paints comes back."""
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    arguments = []

    def paint(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        arguments.append((image.mode, image.size, mask.mode, prompt))
        return Image.composite(Image.new("RGB", image.size, (0, 255, 0)), image, mask)

    server = runpy.run_path(str(EXAMPLES / "inpaint_server.py"))["make_server"](paint, 0)
    server.RequestHandlerClass.log_message = lambda *_: None
    threading.Thread(target=server.handle_request, daemon=True).start()
    hosted = Hosted(
        provider="form", url=f"http://127.0.0.1:{server.server_port}/", prompt="a d\u00e9sk", side=64
    )
    frame = made_up_picture(np.random.default_rng(0), (48, 64))
    view = make_view(MeanColour(), frame)
    (picture,) = Painter(account="tests", most_requests=1).paint(hosted, view)
    server.server_close()
    assert arguments == [("RGB", (64, 48), "L", "a d\u00e9sk")]
    hidden = ~view.canvas()[1]
    np.testing.assert_array_equal(picture[~hidden], frame[~hidden])
    assert (picture[hidden] == (0, 1, 0)).all(axis=1).mean() > 0.5

"""Plugins and scripts in the documents run and keep the rules."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pedbench
from pedbench.api import run as measure
from pedbench.checks import check
from pedbench.checks.samples import made_up_picture, make_view
from pedbench.engines.view_stream import views as real_views
from pedbench.plugins.attacks.mean_colour import MeanColour
from pedbench.registry import Registry
from pedbench.registry.instances import plugin_file
from pedbench.results.run import load
from tests.tools.documents import FILES, ONE_VIEW, PLUGINS, STUDY

MOST_LINES = 40
"""Maximum number of lines of the plugins that how-to documents are built around."""


def _problems(document_folder: Path, kind: Any) -> dict[str, list[str]]:
    """Return the rules that each plugin of the documents breaks."""
    registry = Registry([document_folder / name for name in PLUGINS])
    names = [name for name, origin in registry.origins(kind).items() if origin.type == "path"]
    return {
        name: [f"{o.rule}: {o.problem}" for o in check(registry.spec(kind, name, {}), registry) if o.problem]
        for name in names
    }


def test_probes_in_documents_keep_the_rules(document_folder: Path) -> None:
    assert _problems(document_folder, "probes") == {"black_boxes": []}


@pytest.mark.slow
def test_defenses_in_documents_keep_the_rules(document_folder: Path) -> None:
    assert _problems(document_folder, "defenses") == {"checkerboard": []}


@pytest.mark.slow
def test_plugins_of_how_to_documents_are_short_and_tested(document_folder: Path) -> None:
    assert len(FILES["gaussian_fill.py"].text.splitlines()) <= MOST_LINES
    assert len(FILES["checkerboard.py"].text.splitlines()) <= MOST_LINES
    attacks = [name for name in PLUGINS if "(Attack):" in FILES[name].text]
    assert attacks == ["gaussian_fill.py"]
    runpy.run_path(str(document_folder / "test_gaussian_fill.py"))["test_it_keeps_the_rules"]()


def test_an_attack_can_be_called_on_one_view(
    document_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def views(*names: Any, **arguments: Any) -> Iterator[Any]:
        assert inspect.signature(real_views).bind(*names, **arguments)
        frame = made_up_picture(np.random.default_rng(0), (48, 64))
        yield make_view(MeanColour(), frame), frame

    monkeypatch.setattr(pedbench, "views", views, raising=False)
    monkeypatch.syspath_prepend(document_folder)
    runpy.run_path(str(document_folder / ONE_VIEW))
    assert re.fullmatch(r"received \d+%, mean error of the rest 0\.\d{3}\n", capsys.readouterr().out)


@pytest.mark.long
def test_the_study_in_documents_can_be_typed(
    document_folder: Path, small_run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments_of_run: dict[str, Any] = {}

    def run(suite: str, **arguments: Any) -> pedbench.Result:
        arguments_of_run.update(arguments)
        for attack in [each for each in arguments["attacks"] if not isinstance(each, str)]:
            file = plugin_file(type(attack), Registry(), document_folder)
            assert file is not None
            assert Registry([file]).create("attacks", attack.name, attack.params).params == attack.params
        return pedbench.Result(load(small_run.directory))

    monkeypatch.setattr(pedbench, "run", run, raising=False)
    monkeypatch.chdir(document_folder)
    runpy.run_path(STUDY)
    assert inspect.signature(measure).bind("proof", **arguments_of_run)
    assert (document_folder / "privacy_utility.png").is_file()
    assert "full_offload" in capsys.readouterr().out


def test_the_dataset_in_documents_gives_samples(document_folder: Path) -> None:
    assert _problems(document_folder, "datasets") == {"flat_colours": []}
    dataset = Registry([document_folder / "flat_colours.py"]).create("datasets", "flat_colours", {"count": 3})
    samples = [dataset[index] for index in range(len(dataset))]
    assert [sample.id for sample in samples] == list(dataset.ids()) == ["0", "1", "2"]
    for sample in samples:
        assert sample.image.dtype == np.float32
        assert np.abs(sample.image * 255 - np.rint(sample.image * 255)).max() < 1e-4
        assert len(np.unique(sample.image[sample.instances[0].mask], axis=0)) == 1


def test_the_metric_in_documents_measures(document_folder: Path) -> None:
    assert _problems(document_folder, "metrics") == {"worst_pixel": []}
    metric = Registry([document_folder / "worst_pixel.py"]).create("metrics", "worst_pixel", {})
    truth = np.zeros((4, 4, 3), np.float32)
    guess = truth.copy()
    guess[0, 0, 1] = 0.25
    corner = np.zeros((4, 4), np.bool_)
    corner[0, 0] = True
    regions = {"corner": corner, "rest": ~corner, "nothing": corner & ~corner}
    assert metric([guess, truth], truth, regions) == [{"corner": 0.25, "rest": 0}, {"corner": 0, "rest": 0}]

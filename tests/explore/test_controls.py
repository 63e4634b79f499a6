"""Controls of plugins, read off files that are not imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pedbench.errors import PluginError
from pedbench.explore.controls import about, controls
from pedbench.models.sam.family import MINI
from pedbench.registry import Registry

SOURCE = '''
from dataclasses import dataclass
from typing import Literal
import numpy as np
from pedbench.base import Attack

@dataclass(kw_only=True)
class Painter(Attack):
    """Paint
    the frame.

    Longer words.

    Attributes:
        servers: Number of helpers.
        strength: Strength of the brush,
            relative to the frame.
        wet: Whether it drips.
        tool: `brush`, or a codec such as `jpeg(quality=3)`.
        style: How.
        note: Any text; `x` is an example.
    """

    name = "painter"
    version = 1
    needs = frozenset({"nothing"})
    servers: int = 4
    strength: float = 0.25
    wet: bool = True
    tool: str = "brush"
    style: Literal["plain", "odd"] = "plain"
    weights: str = "original"
    note: str = ""

    def reconstruct(self, view, rng):
        return np.zeros((*view.frame_size, 3), np.float32)
'''


@pytest.fixture
def painter(tmp_path: Path) -> Path:
    file = tmp_path / "painter.py"
    file.write_text(SOURCE)
    return file


@pytest.mark.slow
def test_each_parameter_has_the_control_of_its_kind_and_no_attack_is_imported(painter: Path) -> None:
    registry = Registry([painter])
    found = {control.name: control for control in controls(registry, "attacks", "painter", MINI)}
    assert list(found) == ["servers", "strength", "wet", "tool", "style", "weights", "note"]
    kinds = [control.kind for control in found.values()]
    assert kinds == ["number", "number", "switch", "choice", "choice", "choice", "text"]
    assert (found["servers"].low, found["servers"].high, found["servers"].whole) == (1, 25, True)
    assert (found["strength"].low, found["strength"].high, found["strength"].whole) == (0, 1, False)
    assert found["strength"].about == "Strength of the brush, relative to the frame."
    assert found["tool"].options == ("brush", "jpeg(quality=3)")
    assert found["style"].options == ("plain", "odd")
    assert {"original", "fine-tuned", "prolonged"} <= set(found["weights"].options)
    assert about(registry, "attacks", "painter") == "Paint the frame."
    assert str(painter) not in {getattr(module, "__file__", None) for module in sys.modules.values()}


def test_parameters_that_are_left_out_of_defaults_or_of_params_have_a_control() -> None:
    def defaults(name: str) -> dict[str, object]:
        return {control.name: control.default for control in controls(Registry(), "defenses", name, MINI)}

    assert defaults("dp_pixelate")["epsilon"] == 10
    assert defaults("ped_sam")["home"] == 0


@pytest.mark.parametrize("text", ["def broken(:", "class Painter: name = 'other'"])
def test_a_plugin_that_cannot_be_read_is_named(painter: Path, text: str) -> None:
    registry = Registry([painter])
    assert "painter" in registry.origins("attacks")
    painter.write_text(text)
    with pytest.raises(PluginError, match=r"painter.*(cannot be read|no class)"):
        about(registry, "attacks", "painter")

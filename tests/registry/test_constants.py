"""Class constants of plugins are what the base classes declare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pedbench.errors import PluginError
from pedbench.registry import KINDS, Registry
from pedbench.registry.calibrations import check_calibration
from pedbench.registry.constants import check_files, check_properties
from pedbench.registry.origins import BASES, Kind

CONSTANTS: dict[Kind, dict[str, str]] = {
    "attacks": {"needs": "frozenset({'pixels'})"},
    "defenses": {"disclosure": "'exact'"},
    "datasets": {},
    "metrics": {"better": "'higher'", "bounds": "(0.0, 1.0)", "exact": "0.0", "column": "'MADE'"},
    "probes": {"reads": "'text'", "side": "64"},
    "codecs": {"takes": "'uint8'"},
}

FILES = "property(lambda self: (Path('{}'),))"
LEAST = "Calibration(defense={}, params={}, metric={}, region={}, least={}, over={})"


def calibration(
    defense: str = "ped_sam",
    params: str = "{'servers': 3}",
    metric: str = "PSNR",
    region: str = "hidden",
    least: float | str = 0.5,
    over: str = "",
) -> str:
    return LEAST.format(repr(defense), params, repr(metric), repr(region), repr(least), repr(over))


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., object]:
    """Builds a plugin of a kind whose constants are as given; None leaves one out."""

    def built(kind: Kind, **constants: str | None) -> object:
        from pedbench import base

        lines = [f"{name} = {value}" for name, value in (CONSTANTS[kind] | constants).items() if value]
        methods = sorted(getattr(base, BASES[kind]).__abstractmethods__ - {"column"})
        lines += [f"def {method}(self, *_): ..." for method in methods]
        body = "".join(f"    {line}\n" for line in ["name = 'made_up'", "version = 1", *lines])
        (tmp_path / "made_up.py").write_text(
            "from dataclasses import dataclass\n"
            "from pathlib import Path\n"
            f"from pedbench.base import Calibration, {BASES[kind]}\n\n"
            f"@dataclass(kw_only=True)\nclass MadeUp({BASES[kind]}):\n{body}"
        )
        registry = Registry([tmp_path / "made_up.py"])
        plugin = registry.create(kind, "made_up", {})
        check_properties(plugin)
        if kind == "attacks":
            check_files(plugin)
            check_calibration(plugin, registry)
        return plugin

    return built


@pytest.mark.parametrize("kind", KINDS)
def test_right_constants_are_accepted(build: Callable[..., object], kind: Kind) -> None:
    assert build(kind) is not None


@pytest.mark.parametrize(
    ("kind", "constants", "sentence"),
    [
        ("defenses", {"disclosure": "'degrade'"}, r"`disclosure`: expected one of .*did you mean 'degraded'"),
        ("defenses", {"disclosure": None}, r"needs a class constant `disclosure`: one of 'nothing', 'exact'"),
        (
            "defenses",
            {"disclosure": None, "disclosed": "'exact'"},
            r"`disclosure` \(did you mean 'disclosed'\?\)",
        ),
        (
            "defenses",
            {"disclosure": "property(lambda self: 'all')"},
            r"`disclosure`: expected .* found 'all'",
        ),
        ("defenses", {"control": "'whole'"}, r"`control`: expected one of '', 'whole picture'"),
        ("defenses", {"shuffles": "'no'"}, r"`shuffles`: expected bool, found 'no'"),
        ("attacks", {"needs": "'pixels'"}, r"`needs`: expected frozenset of one of .* found 'pixels'"),
        ("attacks", {"needs": "frozenset({'token'})"}, r"`needs`: .*did you mean 'tokens'"),
        ("attacks", {"stochastik": "True"}, r"no constant `stochastik`: did you mean `stochastic`"),
        ("attacks", {"family": "'sharpen'"}, r"`family`: .*did you mean 'sharpening'"),
        ("attacks", {"calibration": calibration(region="hiden")}, r"`region`: .*did you mean 'hidden'"),
        ("attacks", {"calibration": calibration(least="0.5")}, r"`least`: expected float, found '0.5'"),
        ("attacks", {"calibration": calibration(defense="pedsam")}, r"no defense .*did you mean 'ped_sam'"),
        ("attacks", {"calibration": calibration(params="{'server': 3}")}, r"did you mean 'servers'"),
        ("attacks", {"calibration": calibration(over="mean_color")}, r"did you mean 'mean_colour'"),
        ("attacks", {"calibration": calibration(metric="PNSR")}, r"named 'PNSR' \(did you mean 'PSNR'"),
        ("attacks", {"calibration": calibration(metric="RMSE", least=-0.01)}, r"name leakage\[RMSE\]"),
        ("attacks", {"calibration": calibration(metric="leakage[PSNR]")}, r"name PSNR itself"),
        ("attacks", {"proof": calibration(metric="LPIPS-alex")}, r"name leakage\[LPIPS-alex\]"),
        ("attacks", {"requests": "'two'"}, r"`requests`: expected int, found 'two'"),
        ("attacks", {"files": "property(lambda self: ('weights.pt',))"}, r"`files`: expected tuple\[.*Path"),
        (
            "attacks",
            {"knowledge": "property(lambda self: 1 / 0)"},
            r"`knowledge` raises Zero.*made_up\.py:\d",
        ),
        ("defenses", {"servers": "property(lambda self: 2.0)"}, r"`servers`: expected int, found 2\.0"),
        ("attacks", {"files": FILES.format("/w.pt")}, r"reads /w\.pt: say in `knowledge` what"),
        ("attacks", {"files": FILES.format("w.pt"), "knowledge": "'w'"}, r"`files` names w\.pt.*absolute"),
        ("attacks", {"files": FILES.format("/w.pt"), "floor": "True"}, r"a floor has no learned prior"),
        ("attacks", {"place: str": "Path('/')"}, r"parameter 'place' is PosixPath\('/'\) .*numbers, words"),
        ("defenses", {"__init__": "lambda self, level=1: None"}, r"defines `__init__`, which may drop"),
        ("metrics", {"better": "'high'"}, r"`better`: .*did you mean 'higher'"),
        ("metrics", {"bounds": "(0.0,)"}, r"`bounds`: expected tuple\[float, float\], found \(0\.0,\)"),
        ("probes", {"reads": "'texts'"}, r"`reads`: .*did you mean 'text'"),
        ("codecs", {"takes": "'float16'"}, r"`takes`: .*did you mean 'float32'"),
        ("datasets", {"annotated": "'False'"}, r"`annotated`: expected bool"),
    ],
)
def test_wrong_constants_are_refused_by_name(
    build: Callable[..., object], kind: Kind, constants: dict[str, str | None], sentence: str
) -> None:
    with pytest.raises(PluginError, match=sentence):
        build(kind, **constants)

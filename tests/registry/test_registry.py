"""Finding, loading and configuring plugins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pedbench.errors import PluginError
from pedbench.registry import KINDS, PluginSpec, Registry, load, source_hash

ROOT = Path(__file__).parents[2]

PIP_INSTALL = (
    sys.executable,
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-deps",
    "--no-build-isolation",
    "--no-index",
)

ATTACK = '''
"""A test attack."""
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pedbench.base import Attack


@dataclass(kw_only=True)
class Painted(Attack):
    """Paint the frame."""

    name = "painted"
    version = 3
    needs = frozenset({"nothing"})
    level: float = 0.5
    steps: int = 2
    mode: Literal["flat", "wavy"] = "flat"
    bands: tuple[int, ...] = (1, 2)
    dithered: bool = False

    def __post_init__(self):
        if self.level > 1:
            raise ValueError(f"level lies in [0, 1], found {self.level}")

    def reconstruct(self, view, rng):
        return np.full((*view.frame_size, 3), self.level, np.float32)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., Path]:
    def write(source: str = ATTACK, name: str = "painted") -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        return path

    return write


def test_in_tree_plugins_load_under_their_names() -> None:
    registry = Registry()
    for kind in KINDS:
        for name, origin in registry.origins(kind).items():
            found = registry.plugin_class(kind, name)
            assert found.name == name
            assert found.__module__ == origin.location
            assert found.summary()
    assert {"mean_colour", "biharmonic"} <= set(registry.origins("attacks"))


def test_a_file_is_a_plugin_and_loads_again_in_another_process(plugin: Callable[..., Path]) -> None:
    path = plugin()
    registry = Registry([path])
    spec = registry.spec("attacks", "painted", {"level": 1, "bands": [4]})
    built = load(PluginSpec.from_json(spec.to_json()))
    assert built.params == {"level": 1.0, "steps": 2, "mode": "flat", "bands": (4,), "dithered": False}
    assert isinstance(built.level, float)
    script = "import sys; from pedbench.registry import *; print(load(PluginSpec.from_json(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", script, spec.to_json()], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == repr(built)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"levle": 0.1}, r"no parameter 'levle' \(did you mean 'level'\?\).*level=0\.5, steps=2"),
        ({"level": "high"}, r"'level' of painted: expected float, found 'high' \(str\)"),
        ({"steps": 2.5}, r"expected int, found 2\.5"),
        ({"steps": True}, r"expected int, found True"),
        ({"dithered": 1}, r"expected bool, found 1"),
        ({"mode": "round"}, r"expected one of 'flat', 'wavy', found 'round'"),
        ({"bands": [1, "x"]}, r"expected tuple\[int, \.\.\.\]"),
        ({"level": 7}, r"attack painted: level lies in \[0, 1\], found 7"),
    ],
)
def test_wrong_parameters_are_explained(
    plugin: Callable[..., Path], params: dict[str, object], sentence: str
) -> None:
    with pytest.raises(PluginError, match=sentence):
        Registry([plugin()]).create("attacks", "painted", params)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(PluginError, match=r"no attack named 'mean_color' \(did you mean 'mean_colour'\?\)"):
        Registry().create("attacks", "mean_color", {})


def test_duplicate_names_are_refused_with_both_origins(plugin: Callable[..., Path]) -> None:
    path = plugin(ATTACK.replace('"painted"', '"mean_colour"'), "mean_colour")
    with pytest.raises(PluginError, match=r"pedbench\.plugins\.attacks\.mean_colour and .*mean_colour\.py"):
        Registry([path]).origins("attacks")


def test_a_broken_plugin_is_fatal_only_when_selected(plugin: Callable[..., Path]) -> None:
    path = plugin(ATTACK.replace("import numpy as np", "import numpy as np\nimport no_such_module"))
    registry = Registry([path])
    assert "painted" in registry.origins("attacks")
    registry.create("attacks", "mean_colour", {})
    with pytest.raises(PluginError, match="no_such_module") as caught:
        registry.create("attacks", "painted", {})
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('name = "painted"', 'name = "other"', "must be named 'painted' like its file, found 'other'"),
        ("version = 3", 'version = "3"', "`version` that is an int"),
        ("@dataclass(kw_only=True)", "", "must be decorated"),
        ("def reconstruct", "def guess", "does not define reconstruct"),
        ("class Painted(Attack)", "class First(Attack): ...\nclass Painted(Attack)", "found First, Painted"),
    ],
)
def test_invalid_plugins_are_refused(
    plugin: Callable[..., Path], before: str, after: str, sentence: str
) -> None:
    path = plugin(ATTACK.replace(before, after))
    with pytest.raises(PluginError, match=sentence):
        Registry([path]).plugin_class("attacks", "painted")


def test_a_plugin_may_derive_from_another_class_in_its_file(plugin: Callable[..., Path]) -> None:
    decorator = "@dataclass(kw_only=True)\n"
    derived = f"class First(Attack): ...\n\n{decorator}class Painted(First)"
    path = plugin(ATTACK.replace(f"{decorator}class Painted(Attack)", derived))
    assert Registry([path]).plugin_class("attacks", "painted").__name__ == "Painted"


def test_folders_are_searched_by_kind(tmp_path: Path) -> None:
    (tmp_path / "attacks").mkdir()
    (tmp_path / "attacks" / "painted.py").write_text(ATTACK)
    (tmp_path / "_helper.py").write_text("")
    (tmp_path / "test_painted.py").write_text("")
    assert "painted" in Registry([tmp_path]).origins("attacks")
    (tmp_path / "helper.py").write_text("")
    with pytest.raises(PluginError, match=r"helper\.py: cannot tell which kind"):
        Registry([tmp_path])
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        Registry([tmp_path / "nowhere"])


def test_the_source_hash_sees_code_and_nothing_else(plugin: Callable[..., Path], tmp_path: Path) -> None:
    def hash_of(source: str, folder: str) -> str:
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "painted.py"
        path.write_text(source)
        return source_hash(Registry([path]).plugin_class("attacks", "painted"))

    original = hash_of(ATTACK, "a")
    reworded = ATTACK.replace('"""Paint the frame."""', '"""Something else."""\n    # a comment')
    assert hash_of(reworded, "b") == original
    assert hash_of(ATTACK.replace("level: float = 0.5", "level: float = 0.6"), "c") != original


@pytest.mark.slow
def test_an_installed_package_brings_plugins(tmp_path: Path) -> None:
    source = tmp_path / "source"
    target = tmp_path / "installed"
    shutil.copytree(Path(__file__).parents[1] / "plugin_package", source)
    subprocess.run(
        [*PIP_INSTALL, "--target", str(target), str(source)],
        check=True,
    )
    environment = {**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    script = """if True:
        import numpy as np
        from pedbench.registry import Registry
        from pedbench.checks.attacks import check_attack
        registry = Registry()
        attack = registry.create("attacks", "stripes", {"fallback": 1})
        assert attack.fallback == 1.0
        assert not [found for found in check_attack(attack) if found.problem]
        assert registry.create("defenses", "mirror", {}).servers == 1
        print(registry.origin("attacks", "stripes"))
        print(registry.origin("defenses", "mirror").version)
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "pedbench_example.stripes:Stripes of pedbench-example 1.2.3\n1.2.3\n", done.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "pedbench", "list", "defenses"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "mirror  (pedbench_example.mirror:Mirror of pedbench-example 1.2.3)" in listed.stdout


@pytest.mark.slow
def test_no_library_takes_the_folder_datasets_for_a_package() -> None:
    script = (
        "import pedbench, transformers, diffusers, accelerate; "
        "print(transformers.utils.is_datasets_available())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"

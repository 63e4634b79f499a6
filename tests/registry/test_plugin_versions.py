"""A plugin whose code changed has another version, so that old and new results are never compared."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1].joinpath("update_plugin_versions.py")


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("update_plugin_versions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_plugin_changed_without_a_new_version(script: Any) -> None:
    known = json.loads(script.FILE.read_text())
    now = script.current()
    assert script.unversioned(known, now) == [], "raise `version` in these files"
    assert known == now, "write the new versions down: python tests/update_plugin_versions.py"


def test_a_change_without_a_new_version_is_noticed(script: Any) -> None:
    before = {"attacks/a": {"version": 1, "source": "x"}}
    assert script.unversioned(before, {"attacks/a": {"version": 1, "source": "y"}}) == ["attacks/a"]
    assert script.unversioned(before, {"attacks/a": {"version": 2, "source": "y"}}) == []

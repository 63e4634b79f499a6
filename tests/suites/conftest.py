"""The registry with the dataset of the small suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.registry import Registry
from tests.suites.small_suite import DATASET


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "still.py"
    path.write_text(DATASET)
    return Registry([path])

"""Both ways to read an annotation file."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["loaded", "streamed"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads files at once, then element by element."""
    if request.param == "streamed":
        monkeypatch.setattr("pedbench.data.coco_file.LARGE", 0)

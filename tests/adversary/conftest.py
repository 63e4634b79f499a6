"""Views for attacks that need none, local services that paint, and a clock for these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pedbench.adversary.prior import load_prior
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.types import View
from tests.adversary.hosted_painting import Time
from tests.adversary.hosted_services import KEYS, Services, serving


@pytest.fixture(name="view")
def _view() -> bytes:
    return view_to_bytes(View(frame_size=(8, 12), prior=load_prior()))


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    # A proxy that does not exist: what goes over plain http must not ask it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving() as found:
        yield found


@pytest.fixture
def time() -> Time:
    return Time()

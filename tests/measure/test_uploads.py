"""Hosted attacks in a run: nothing is uploaded unless the suite allows it, and the report says where pictures went."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from pedbench.adversary.hosted.exchange import HostedError
from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.facts import describe
from pedbench.adversary.prior import load_prior
from pedbench.host.console import Console
from pedbench.measure.paintings import painted
from pedbench.registry import Registry
from pedbench.regression.redo import redo
from pedbench.suites.plan import Planned
from pedbench.suites.schema import Suite
from pedbench.types import View
from tests.adversary.hosted_services import KEYS, serving
from tests.conftest import SMALL

CHANGES: dict[str, Any] = {
    "dataset": {"name": "scenes", "params": {"count": 8}, "limit": 1},
    "defenses": [{"name": "ped_sam", "params": {"servers": 3}, "latency": False}],
    "coalitions": [{"c": 1, "m": 3}],
    "metrics": ["root_mean_square_error"],
    "utility": [],
    "exhibits": 0,
    "servers": {"deadline": 600.0},
}


def test_uploads_are_off_unless_a_suite_asks_for_them() -> None:
    assert not Suite.model_validate(SMALL).allow_upload
    for file in Path("pedbench/suites").glob("*.toml"):
        assert "upload" not in file.read_text(encoding="utf-8"), file


def test_a_bench_without_a_painter_uploads_nothing() -> None:
    """Such are those of verification, of other engines and of views to train on."""
    spec = Registry().spec("attacks", "hosted_inpaint", {})
    planned = Planned(plugin=describe(spec), spec=spec)
    views = {(0, (1, (0,))): View(frame_size=(8, 8), prior=load_prior())}

    class Closed:
        painter = None

    with pytest.raises(AttackFailure, match="nothing is uploaded here"):
        painted(Closed(), planned, views, {})  # type: ignore[arg-type]


def test_a_picture_counts_as_uploaded_even_if_nothing_comes_back() -> None:
    spec = Registry().spec("attacks", "hosted_inpaint", {})
    planned = Planned(plugin=describe(spec), spec=spec)
    empty = View(frame_size=(8, 8), prior=load_prior())

    class Failing:
        sent = 0

        def paint(self, *_: Any) -> tuple[Any, ...]:
            self.sent += 1
            raise HostedError("it is busy")

    class Opened:
        painter = Failing()

    uploaded: dict[str, str] = {}
    with pytest.raises(AttackFailure, match="HostedError: it is busy"):
        painted(Opened(), planned, {"a view": empty}, uploaded)  # type: ignore[arg-type]
    assert uploaded == {"a view": "firefly-api.adobe.io"}


@pytest.mark.long
def test_pictures_go_where_the_report_says_and_nowhere_without_leave(
    run_small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with serving() as services:
        params = {"provider": "form", "url": f"{services.url}/fill", "side": 64}
        changes = CHANGES | {"attacks": ["mean_colour", {"name": "hosted_inpaint", "params": params}]}
        refused = run_small(tmp_path / "refused", **changes)
        (record,) = refused.of("ped_sam", attack="hosted_inpaint")
        assert (record.status, services.paths) == ("skipped", [])
        assert "set allow_upload = true in the suite" in record.reason

        allowed = changes | {"allow_upload": True, "uploads": {"most_requests": 9, "per_minute": 6000.0}}
        done = run_small(tmp_path / "allowed", report=True, **allowed)
        (record,) = done.of("ped_sam", attack="hosted_inpaint")
        host = services.url.removeprefix("http://")
        sent = services.paid()
        assert record.status == "ok", record.reason
        assert record.provenance["uploads"] == {host: sent}
        assert sent >= 1
        # Of a third of the windows, painted pictures hold no more than was received.
        assert all(hidden.mean() > 0.5 for _, hidden in services.painted)
        for name in ("report.md", "report.html"):
            text = (done.directory / name).read_text(encoding="utf-8")
            assert "was sent to other hosts" in text
            assert host in text
        kept = [
            path for path in (*done.directory.rglob("*"), *(tmp_path / "home").rglob("*")) if path.is_file()
        ]
        assert not [path for path in kept for key in KEYS.values() if key.encode() in path.read_bytes()]
        assert not [key for key in KEYS.values() if key in done.said]

        # A run from elsewhere may allow uploads; nobody who verifies it uploads.
        shutil.rmtree(tmp_path / "home" / "hosted")
        findings = redo(
            done.directory, (), Console(io.StringIO()), cells=9, pictures=1, seed=0, tolerance=1e-4
        )
        assert not [finding.problem for finding in findings if finding.problem]
        assert services.paid() == sent

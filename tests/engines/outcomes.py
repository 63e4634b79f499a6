"""Passes that are counted, and outcomes of runs that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

RMSE = ["root_mean_square_error"]


def outcome(records: Sequence[Any]) -> set[str]:
    return {record.status for record in records}


def counted(monkeypatch: pytest.MonkeyPatch, before: Callable[[int, Any], None]) -> list[str]:
    """List the names of defenses in the order of their passes; `before` gets number and servers of each pass."""
    from pedbench.measure import bench

    real: Any = vars(bench)["run_pass"]
    passes: list[str] = []

    def run_pass(defense: Any, frame: Any, servers: Any, *rest: Any, **more: Any) -> Any:
        passes.append(defense.name)
        before(len(passes), servers)
        return real(defense, frame, servers, *rest, **more)

    monkeypatch.setattr(bench, "run_pass", run_pass)
    return passes


def scenes(limit: int) -> dict[str, Any]:
    return {"name": "scenes", "params": {"count": 8}, "limit": limit}

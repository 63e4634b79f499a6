"""The words that explain a report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pedbench.report.words.legend import FLAGS, flag_meanings
from pedbench.validity.flags import AUTHORED


def test_a_distrusted_operation_is_explained_by_defense() -> None:
    records = [
        SimpleNamespace(defense=name, provenance=provenance)
        for name, provenance in (
            ("good", {}),
            ("noise", {"distrust": "own: 9%"}),
            ("tokens", {"distrust": "it"}),
        )
    ]
    run: Any = SimpleNamespace(records=records, defense=lambda record: record.defense)
    assert flag_meanings(run) == {**FLAGS, AUTHORED: f"{FLAGS[AUTHORED]}. noise: own: 9%; tokens: it"}
    run.records = records[:1]
    assert flag_meanings(run) == FLAGS

"""Plugins that are used before `prepare`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from pedbench.base import Plugin


@dataclass(kw_only=True)
class Table(Plugin):
    """A plugin that loads a table."""

    name = "table"
    version = 1
    _rows: Any = field(init=False)

    def prepare(self, device: str) -> None:
        self._rows = [device]

    @property
    def width(self) -> int:
        return len(self.misspelt)  # type: ignore[attr-defined]


def test_what_prepare_loads_is_asked_for_by_name() -> None:
    table = Table()
    with pytest.raises(AttributeError, match=r"Table has no '_rows' yet: call prepare\("):
        _ = table._rows
    with pytest.raises(AttributeError, match="no attribute 'misspelt'"):
        _ = table.width
    table.prepare("cpu")
    assert table._rows == ["cpu"]

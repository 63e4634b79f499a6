"""What is pinned, and what is told of weaknesses."""

from __future__ import annotations

import pytest

from tools.release.audit import PINS, needed, pins, unpinned, weaknesses


def test_names_are_compared_as_indices_do() -> None:
    assert pins("Jinja2==3.1.6\ntyping_extensions==4.16.0 ; x\n# a==1\n") == {
        "jinja2": "3.1.6",
        "typing-extensions": "4.16.0",
        "a": "1",
    }


def test_what_is_needed_is_found_with_its_extras() -> None:
    found = needed("pedbench")
    assert {"torch", "numpy", "pytest", "wsproto"} <= found
    assert "optree" not in found


def test_missing_and_other_pins_are_told() -> None:
    known = pins(PINS.read_text())
    told = list(
        unpinned({name: version for name, version in known.items() if name != "numpy"} | {"rich": "1"})
    )
    assert any(line.startswith("numpy ") and "is not pinned" in line for line in told)
    assert any(line.startswith("rich ") and "pinned is 1" in line for line in told)


def test_nothing_looked_up_is_no_good_news(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = {"name": "a", "skip_reason": "not found"}
    fine = {"name": "b", "version": "1", "vulns": []}
    weak = {"name": "c", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}
    assert not weaknesses([skipped])
    assert "were not looked up" in capsys.readouterr().out
    assert not weaknesses([skipped, fine])
    assert "looked up 1 of 2" in capsys.readouterr().out
    assert weaknesses([fine, weak])
    assert "c 1: X-1, fixed in 2" in capsys.readouterr().out

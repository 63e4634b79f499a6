"""The streamed reader of JSON against `json`, at every place where a part of the file can end."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pedbench.data import json_stream
from pedbench.data.json_stream import ArrayStream

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(
    data=st.dictionaries(st.sampled_from("abcdé"), st.lists(values, max_size=4) | values, max_size=5),
    step=st.integers(1, 9),
    indent=st.none() | st.integers(0, 2),
    ascii=st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_elements_are_those_of_json(
    data: dict[str, Any], step: int, indent: int | None, ascii: bool, tmp_path_factory: Any
) -> None:
    data = {key: value if key == "é" or isinstance(value, list) else [value] for key, value in data.items()}
    path = tmp_path_factory.getbasetemp() / "stream.json"
    text = json.dumps(data, indent=indent, ensure_ascii=ascii)
    content = text.encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_STEP", step)
        stream = ArrayStream(path, ("a", "b", "c"))
        found = list(stream)
    expected = [(key, value) for key in data if key in "abc" for value in data[key]]
    assert [(each.key, each.value) for each in found] == expected
    assert [json.loads(content[each.start : each.start + each.size]) for each in found] == [
        value for _, value in expected
    ]
    assert stream.arrays == set("abc") & set(data)
    assert stream.digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": [1, 2', "end"),
        ('{"a": [1,, 2]}', "value"),
        ('{"a": [1, ]}', "missing"),
        ('{"a": [1 2]}', "value"),
        ('{"a": [1]', "expected"),
        ('{"a": [1],}', "expected"),
        ('{"a": [1]} x', "goes on"),
        ('{"a": [1.]}', "value"),
        ('{"a": [01]}', "value"),
        ("{1: [1]}", "expected a key"),
        ('{"a": [1], "a": [2]}', "two arrays"),
        ('{"a": {}}', "no array"),
        ('{"a": ["' + "x" * 3000 + '"]}', "longer than"),
        ('{"a": [' + "9" * 900 + "]}", ""),
        ("\ufeff", "object"),
    ],
)
def test_what_json_refuses_is_refused(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "LONGEST", 1000)
    monkeypatch.setattr(json_stream, "_STEP", 7)
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    if not reason:
        assert [each.value for each in ArrayStream(tmp_path / "a.json", "a")] == [int("9" * 900)]
        return
    with pytest.raises(ValueError, match=reason):
        list(ArrayStream(tmp_path / "a.json", "a"))


def test_a_mark_before_the_text_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": ["é"]}', encoding="utf-8-sig")
    (element,) = ArrayStream(tmp_path / "a.json", "a")
    content = (tmp_path / "a.json").read_bytes()
    assert content[element.start : element.start + element.size] == '"é"'.encode()

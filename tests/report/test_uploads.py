"""The sentence that says where pictures went."""

from types import SimpleNamespace
from typing import Any

from pedbench.report.outputs.origin import upload_sentence


def _sentence(*provenances: dict[str, Any]) -> str:
    records = [SimpleNamespace(provenance=each) for each in provenances]
    return upload_sentence(SimpleNamespace(records=records, attack=lambda _: "hosted_inpaint"))  # type: ignore[arg-type]


def test_the_report_says_to_which_hosts_how_many_pictures_went() -> None:
    assert _sentence({}, {"uploads": {}}) == ""
    sentence = _sentence({"uploads": {"b.example": 2}}, {}, {"uploads": {"b.example": 3, "a.example": 1}})
    assert "1 to `a.example` for `hosted_inpaint`; 5 to `b.example` for `hosted_inpaint`" in sentence


def test_records_from_elsewhere_put_no_markup_into_it() -> None:
    assert _sentence({"uploads": {"host": "<b>"}}, {"uploads": ["host"]}) == ""
    assert "<script>" not in _sentence({"uploads": {"`<script>`": 1}}).replace("`` `<script>` ``", "")

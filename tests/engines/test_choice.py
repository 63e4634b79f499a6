"""Which engine a command line asks for."""

from __future__ import annotations

import sys

import pytest

from pedbench.cli import main

REFUSED = {
    "--engine spark": "--engine is local or ray, found 'spark'",
    "--workers 2": "belong to --engine ray",
    "--device cuda:99": "--device: there is no 'cuda:99' here; found:",
    "--worker-gpus 0.5": "belong to --engine ray",
    "--engine ray": "pip install 'pedbench[ray]'",
}


@pytest.mark.parametrize(("options", "sentence"), REFUSED.items())
def test_what_cannot_be_had_is_refused_in_a_sentence(
    options: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as left:
        main(["run", "proof", *options.split()])
    assert left.value.code == 2
    assert sentence in capsys.readouterr().err

"""The choice of an engine on the command line."""

from __future__ import annotations

import sys

import pytest

from pedbench.cli import main

REFUSED = {
    "--engine spark": "--engine is local or ray, found 'spark'",
    "--workers 2": "need --engine ray",
    "--device cuda:99": "--device: there is no 'cuda:99' here; found:",
    "--worker-gpus 0.5": "need --engine ray",
    "--engine ray": "pip install 'pedbench[ray]'",
}


@pytest.mark.parametrize(("options", "sentence"), REFUSED.items())
def test_unusable_options_are_refused_with_a_reason(
    options: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as exited:
        main(["run", "proof", *options.split()])
    assert exited.value.code == 2
    assert sentence in capsys.readouterr().err

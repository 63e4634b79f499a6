"""The choice of an engine on the command line."""

from __future__ import annotations

import sys

import pytest

from pedbench.cli import main
from pedbench.engines.jobs import EngineError
from pedbench.engines.ray import Ray

REFUSED = {
    "--engine spark": "--engine is local or ray, found 'spark'",
    "--workers 2": "need --engine ray",
    "--device cuda:99": "--device: there is no 'cuda:99' here; found:",
    "--worker-gpus 0.5": "need --engine ray",
    "--engine ray": "pip install 'pedbench[ray]'",
}


@pytest.mark.slow
@pytest.mark.parametrize(("options", "sentence"), REFUSED.items())
def test_unusable_options_are_refused_with_a_reason(
    options: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as exited:
        main(["run", "proof", *options.split()])
    assert exited.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_dead_address_of_a_cluster_is_named_at_once() -> None:
    pytest.importorskip("ray")
    engine = Ray(address="127.0.0.1:9", workers=1)
    with (
        pytest.raises(EngineError, match=r"no Ray cluster at 127.0.0.1:9.*ray start --head"),
        engine._cluster(),
    ):
        pass

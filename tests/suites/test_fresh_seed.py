"""Whoever measures on pictures of a secret seed cannot have chosen them, and anybody can see that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pedbench.cli import main
from pedbench.registry import Registry
from pedbench.suites.files import SuiteError, load_whole_suite, to_toml
from pedbench.suites.fresh_seed import commitment, read_secret, seed_of
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import Suite
from tests.conftest import SMALL


def suite(**dataset: Any) -> Suite:
    return Suite.model_validate(SMALL | {"dataset": SMALL["dataset"] | dataset})


def test_a_secret_is_drawn_once_and_committed_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "other"):
        with pytest.raises(SystemExit) as ended:
            main(["commit-seed", str(tmp_path / name)])
        assert ended.value.code == 0
    one, other = (read_secret(tmp_path / name) for name in ("one", "other"))
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    assert re.findall(r'commitment = "(\w+)"', capsys.readouterr().out) == [
        commitment(one),
        commitment(other),
    ]
    assert seed_of(one) != seed_of(other)
    with pytest.raises(SystemExit) as ended:
        main(["commit-seed", str(tmp_path / "one")])
    assert ended.value.code == 2
    assert read_secret(tmp_path / "one") == one


def test_the_run_s_suite_reveals_the_secret_and_holds_together(tmp_path: Path) -> None:
    registry, secret = Registry(), "5e" * 32
    public = suite(commitment=commitment(secret))
    assert secret not in to_toml(public)
    run = resolve(public, Overrides(secret=secret), registry)
    assert run.dataset.params["seed"] == seed_of(secret)
    file = tmp_path / "suite.toml"
    file.write_text(to_toml(run))
    # Anybody checks it without the file of the secret.
    assert resolve(load_whole_suite(file), Overrides(), registry) == run
    file.write_text(to_toml(run).replace(f"seed = {seed_of(secret)}", "seed = 7"))
    with pytest.raises(SuiteError, match="seed is 7, from the secret follows"):
        resolve(load_whole_suite(file), Overrides(), registry)


@pytest.mark.parametrize(
    ("dataset", "secret", "sentence"),
    [
        ({"commitment": commitment("5e" * 32)}, None, "name its file by --secret"),
        ({"commitment": commitment("5e" * 32)}, "5f" * 32, "not the one that the suite commits to"),
        ({}, "5e" * 32, "commits to no seed"),
    ],
)
def test_a_secret_that_does_not_fit_is_refused(
    dataset: dict[str, str], secret: str | None, sentence: str
) -> None:
    with pytest.raises(SuiteError, match=sentence):
        resolve(suite(**dataset), Overrides(secret=secret), Registry())


def test_other_pictures_need_no_secret() -> None:
    public = suite(commitment=commitment("5e" * 32))
    assert resolve(public, Overrides(dataset="panning_scenes"), Registry()).dataset.commitment is None

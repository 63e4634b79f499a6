"""Suite files: wrong ones are explained, and all can be written and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pedbench.errors import PluginError
from pedbench.registry import Registry
from pedbench.suites.choices import DatasetChoice, DefenseChoice
from pedbench.suites.files import SuiteError, load_suite, suite_names, to_toml
from tests.suites.small_suite import SUITE, loaded


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "limit = 4",
            "limit = 0",
            r"small\.toml: dataset\.limit: expected greater than or equal to 1, found 0",
        ),
        ("limit = 4", "limt = 4", r"dataset\.limt: unknown key 'limt' \(did you mean 'limit'\?\)"),
        ("seed = 3", "seed = '3'", r"seed: expected a valid integer, found '3'"),
        ("seed = 3", "", r"seed: this key is missing"),
        ("seed = 3", "seed = = 3", r"small\.toml is not TOML"),
        ("c = 1,", "c = 0,", r"at least one server"),
        ('"clicks"', '"taps"', r"utility\.0\.protocol: expected 'clicks' or 'saf', found 'taps'"),
        ("version = 1", "version = true", r"version: expected a valid integer, found True"),
        ('model = "mini"', "model = 3", r"model: expected a valid string, found 3"),
        ("[dataset]", "[[dataset]]", r"dataset: expected .* found \[\{"),
        ('name = "still"', 'name = ["still"]', r"dataset\.name: expected a valid string"),
        ("{ servers = 3 }", "{ servers = { a = 1 } }", r"defenses\.1\.params\.servers"),
        ("{ servers = 3 }", "{ servers = inf }", r"finite number, found inf"),
        ("seed = 3", "seed = 0x" + "f" * 5000, r"small\.toml is not TOML: a whole number"),
        ("seed = 3", "seed = " + "9" * 5000, r"small\.toml is not TOML"),
        ("seed = 3", "seed = " + "[" * 5000, r"small\.toml is not TOML"),
        ("seed = 3", "a." * 300 + "b = 1", r"small\.toml: a line has more than 200 dots"),
        ("seed = 3", "# " + "x" * 600_000, r"small\.toml: a suite has at most 500000 bytes"),
        ("metrics = []", f"metrics = {[3] * 30}", r"small\.toml: and \d+ more"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    with pytest.raises(SuiteError, match=sentence):
        loaded(tmp_path, SUITE.replace(before, after))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(SuiteError, match=r"small\.toml is not TOML: 'utf-8' codec"):
        load_suite(str(tmp_path / "small.toml"))


def test_a_hostile_name_finds_no_plugin(tmp_path: Path, registry: Registry) -> None:
    for name in ("../../etc/passwd", "os.system", "still; import os", "<script>", "\x1b[31m", "x" * 5000):
        with pytest.raises(PluginError, match="there is no dataset named"):
            registry.create("datasets", name, {})


def test_unknown_suites_suggest_the_nearest() -> None:
    with pytest.raises(SuiteError, match=r"did you mean 'mini'\?"):
        load_suite("mimi")
    with pytest.raises(FileNotFoundError, match=r"no suite file nowhere\.toml"):
        load_suite("nowhere.toml")


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_of_ours_can_be_written_and_read_again(tmp_path: Path, name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert loaded(tmp_path, to_toml(suite)) == suite


scalars = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)

params = st.dictionaries(st.text(), scalars | st.lists(scalars, max_size=3), max_size=4)


@pytest.mark.slow
@given(params=params)
def test_any_parameters_survive_toml(
    tmp_path_factory: pytest.TempPathFactory, params: dict[str, object]
) -> None:
    suite = load_suite("proof").model_copy(
        update={
            "dataset": DatasetChoice.model_validate({"name": "x", "params": params}),
            "defenses": [DefenseChoice.model_validate({"name": "y", "params": params})],
        }
    )
    assert loaded(tmp_path_factory.getbasetemp(), to_toml(suite)) == suite

"""Suite files, and what the command line makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pedbench.errors import PluginError
from pedbench.registry import Registry
from pedbench.suites.choices import DatasetChoice, DefenseChoice
from pedbench.suites.files import SuiteError, load_suite, suite_names, to_toml
from pedbench.suites.quick import quicker
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import ServersChoice, Suite

SUITE = """
name = "small"
version = 1
seed = 3
model = "mini"
attacks = ["mean_colour", { name = "biharmonic", params = { side = 40 } }]
metrics = []
coalitions = [{ c = 1, m = 3 }, { c = "N", m = 1 }]
[dataset]
name = "still"
limit = 4
[[utility]]
protocol = "clicks"
prompts = ["1"]
[[defenses]]
name = "on_device"
[[defenses]]
name = "ped_sam"
params = { servers = 3 }
latency = false
[latency]
samples = 2
warmup = 1
"""

DATASET = '''
"""A test dataset."""
from dataclasses import dataclass

from pedbench.base import Dataset


@dataclass(kw_only=True)
class Still(Dataset):
    """Nothing."""

    name = "still"
    version = 1
    data: str = ""
    revision = "1"
    left_out = {}

    def ids(self):
        return []

    def __getitem__(self, index):
        raise IndexError(index)
'''


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "still.py"
    path.write_text(DATASET)
    return Registry([path])


def loaded(tmp_path: Path, text: str = SUITE) -> Suite:
    path = tmp_path / "small.toml"
    path.write_text(text)
    return load_suite(str(path))


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


def test_resolving_keeps_what_it_does_not_complete(tmp_path: Path, registry: Registry) -> None:
    suite = loaded(tmp_path).model_copy(
        update={
            "seed": 5,
            "seeds": 2,
            "deadline": 7.0,
            "exhibits": 0,
            "servers": ServersChoice(deadline=9.0, on_lost="edge", spot_checks=2),
        }
    )
    resolved = resolve(suite, Overrides(), registry)
    completed = {"dataset", "defenses", "attacks", "metrics", "probes", "gallery", "compare_with", "quick"}
    for name in set(Suite.model_fields) - completed:
        assert getattr(resolved, name) == getattr(suite, name), name


def test_resolving_completes_parameters_and_is_stable(tmp_path: Path, registry: Registry) -> None:
    suite = loaded(tmp_path)
    resolved = resolve(suite, Overrides(), registry)
    assert resolved.defenses[1].params["servers"] == 3
    assert set(resolved.defenses[1].params) > {"servers", "assignment", "payload", "weights"}
    assert not resolved.defenses[1].latency
    assert resolved.attacks[1].params == {"side": 40}
    again = loaded(tmp_path, to_toml(resolved))
    assert resolve(again, Overrides(), registry) == resolved


def test_sweeps_expand_without_duplicates(tmp_path: Path, registry: Registry) -> None:
    overrides = Overrides(
        defenses=["ped_sam", "gaussian_blur"],
        sweeps=["gaussian_blur.sigma=0.0125, 0.025", "ped_sam.servers=3,5,3"],
    )
    resolved = resolve(loaded(tmp_path), overrides, registry)
    assert [
        (choice.name, choice.params.get("servers"), choice.params.get("sigma"))
        for choice in resolved.defenses
    ] == [
        ("ped_sam", 3, None),
        ("ped_sam", 5, None),
        ("gaussian_blur", None, 0.0125),
        ("gaussian_blur", None, 0.025),
    ]


def test_overrides_select_and_limit(tmp_path: Path, registry: Registry) -> None:
    overrides = Overrides(
        attacks=["biharmonic"],
        dataset="still",
        data=tmp_path,
        limit=2,
        seed=9,
        sweeps=["pixelate.weights=original"],
    )
    resolved = resolve(loaded(tmp_path), overrides, registry)
    assert [choice.name for choice in resolved.defenses] == ["on_device", "ped_sam", "pixelate"]
    assert [choice.params for choice in resolved.attacks] == [{"side": 40}]
    assert (resolved.dataset.limit, resolved.seed) == (2, 9)
    assert resolved.dataset.params == {"data": str(tmp_path.resolve())}


def test_quick_is_a_part_of_the_suite(registry: Registry) -> None:
    suite = load_suite("mini")
    quick = resolve(quicker(suite), Overrides(), registry)
    assert (quick.dataset.limit, quick.probes, quick.quick) == (8, [], None)
    floors = [choice.name for choice in quick.attacks if registry.create("attacks", choice.name, {}).floor]
    assert [choice.name for choice in quick.attacks] == [*floors, "vitmae", "completion"]
    assert len(floors) == 5
    whole = resolve(suite, Overrides(), registry).defenses
    assert [choice for choice in whole if choice not in quick.defenses] == [
        choice for choice in whole if choice.name == "interleaved_offload"
    ]
    with pytest.raises(SuiteError, match="suite proof has no part for --quick"):
        quicker(load_suite("proof"))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (Overrides(model="minni"), r"no model family 'minni' \(did you mean 'mini'\?\)"),
        (Overrides(defenses=["pedsam"]), r"no defense named 'pedsam' \(did you mean 'ped_sam'\?\)"),
        (Overrides(sweeps=["gaussian_blur=3"]), r"--sweep expects DEFENSE\.PARAMETER=VALUE"),
        (Overrides(sweeps=["gaussian_blur.sigmma=3"]), r"no parameter 'sigmma' \(did you mean 'sigma'\?\)"),
        (Overrides(sweeps=["gaussian_blur.sigma=x"]), r"expected float, found 'x'"),
    ],
)
def test_wrong_overrides_are_explained(
    tmp_path: Path, registry: Registry, overrides: Overrides, sentence: str
) -> None:
    with pytest.raises((SuiteError, PluginError), match=sentence):
        resolve(loaded(tmp_path), overrides, registry)
    with pytest.raises(SuiteError, match=r"no prompt '2'\. Known: 1, 3, 5, box"):
        resolve(loaded(tmp_path, SUITE.replace('["1"]', '["2"]')), Overrides(), registry)


def test_a_reference_must_be_one_of_the_defenses() -> None:
    suite = load_suite("mini")
    assert suite.compare_with is not None
    wrong = suite.model_copy(
        update={"compare_with": suite.compare_with.model_copy(update={"params": {"servers": 7}})}
    )
    with pytest.raises(SuiteError, match="no defense of the suite is that"):
        resolve(wrong, Overrides(), Registry())
    # Somebody who selects defenses may leave it out.
    assert resolve(wrong, Overrides(defenses=["on_device"]), Registry()).compare_with == wrong.compare_with


def test_settings_reach_every_plugin_of_a_name(registry: Registry, tmp_path: Path) -> None:
    suite = loaded(tmp_path)
    settings = ["ped_sam.servers=5", "biharmonic.side = 20", "still.data=somewhere/else"]
    resolved = resolve(
        suite, Overrides(settings=settings, sweeps=["ped_sam.reply=float32,float16"]), registry
    )
    assert [choice.params["servers"] for choice in resolved.defenses if choice.name == "ped_sam"] == [5, 5]
    assert resolved.attacks[1].params == {"side": 20}
    assert resolved.dataset.params == {"data": str(Path("somewhere/else").absolute())}
    swept = suite.model_copy(
        update={"defenses": [DefenseChoice(name="ped_sam", sweep={"servers": [3, 9], "chunk": [0, 1]})]}
    )
    set_once = resolve(swept, Overrides(settings=["ped_sam.servers=5"]), registry)
    assert [(each.params["servers"], each.params["chunk"]) for each in set_once.defenses] == [(5, 0), (5, 1)]
    for setting, message in (
        ("ped_sam.servers", "--set expects NAME.PARAMETER=VALUE"),
        ("ped_sm.servers=5", "the suite has nothing named 'ped_sm' .did you mean 'ped_sam'"),
    ):
        with pytest.raises(SuiteError, match=message):
            resolve(suite, Overrides(settings=[setting]), registry)
    with pytest.raises(PluginError, match=r"no parameter 'server' .did you mean 'servers'"):
        resolve(suite, Overrides(settings=["ped_sam.server=5"]), registry)


def test_parameters_reach_plugins_that_join(registry: Registry, tmp_path: Path) -> None:
    named = Overrides(
        defenses=["ped_sam(servers=5, reply=jpeg_like)", "gaussian_blur"],
        attacks=["nearest_pixel", "vitmae(model='a, b')"],
        metrics=["learned_perceptual_similarity(net=mini)"],
        dataset="scenes(count=12)",
        settings=[
            "gaussian_blur.sigma=0.02",
            "ped_sam.reply=float16",
            "scenes.split=train",
            "on_device.weights=x",
        ],
    )
    resolved = resolve(loaded(tmp_path), named, registry)
    blur, blocks = resolved.defenses
    assert (blocks.params["servers"], blocks.params["reply"], blur.params["sigma"]) == (5, "float16", 0.02)
    assert [attack.params.get("model") for attack in resolved.attacks] == [None, "a, b"]
    assert [metric.params["net"] for metric in resolved.metrics] == ["mini"]
    assert (resolved.dataset.params["count"], resolved.dataset.params["split"]) == (12, "train")
    for wrong in ("ped_sam(servers=5", "ped_sam(5)", "ped_sam(=5)", "ped_sam(servers=5)x", "ped_sam(a=[1)"):
        with pytest.raises(SuiteError, match=r"expected NAME or NAME\(PARAMETER=VALUE"):
            resolve(loaded(tmp_path), Overrides(defenses=[wrong]), registry)


def test_files_of_weights_are_named_in_the_suite_or_on_the_command_line(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"fine-tuned": "ped.pth", "original": "sam.pth"}
    suite = loaded(tmp_path).model_copy(update={"model": "vit_b", "weights": named})
    resolved = resolve(suite, Overrides(weights={"original": "other.pth"}), registry)
    assert resolved.weights == {
        "fine-tuned": str(tmp_path / "ped.pth"),
        "original": str(tmp_path / "other.pth"),
    }
    assert resolve(Suite.model_validate(resolved.model_dump()), Overrides(), registry) == resolved
    (tmp_path / "saved.toml").write_text(to_toml(resolved))
    assert load_suite(str(tmp_path / "saved.toml")).weights == resolved.weights
    # They are of one family alone.
    assert resolve(suite, Overrides(model="mini"), registry).weights is None
    with pytest.raises(SuiteError, match="weights: no file can be named for weights 'reordered'"):
        resolve(suite, Overrides(weights={"reordered": "x.pth"}), registry)

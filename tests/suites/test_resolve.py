"""Suites as the command line changes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.errors import PluginError
from pedbench.registry import Registry
from pedbench.suites.choices import DefenseChoice
from pedbench.suites.files import SuiteError, load_suite, to_toml
from pedbench.suites.quick import quicker
from pedbench.suites.resolve import Overrides, resolve
from pedbench.suites.schema import ServersChoice, Suite
from tests.suites.small_suite import SUITE, loaded


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
    reloaded = loaded(tmp_path, to_toml(resolved))
    assert resolve(reloaded, Overrides(), registry) == resolved


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

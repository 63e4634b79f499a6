"""Where models are looked for, and what is refused."""

import hashlib
import json
from pathlib import Path

import pytest

from pedbench.checks.attacks import check_attack
from pedbench.errors import CheckpointError, MissingWeightsError
from pedbench.models import manifest
from pedbench.models.hub.folders import model_files, model_folder, model_reference, weight_digests
from pedbench.plugins.attacks.vitmae import Vitmae


def test_references_do_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mae").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("models/mae", "./models/mae", "~/models/mae", str(tmp_path / "models/mae")):
        assert model_reference(name) == str(tmp_path / "models/mae")
        assert model_reference(model_reference(name)) == model_reference(name)
    for name in ("mae-mini", "facebook/vit-mae-base"):
        assert model_reference(name) == name


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("{}")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "config.json").symlink_to("../blob")
    assert model_files(str(tmp_path / "snapshot")) == (tmp_path / "snapshot", tmp_path / "blob")
    assert model_files(str(tmp_path / "nowhere")) == (tmp_path / "nowhere",)


def test_retrained_weights_have_another_digest(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    file = folder / "unet" / "weights.safetensors"
    file.write_bytes(b"first")
    expected = {"model/unet/weights.safetensors": hashlib.sha256(b"first").hexdigest()}
    assert weight_digests([folder, file]) == expected
    file.write_bytes(b"second, longer")
    assert weight_digests([folder]) != expected


def test_every_declared_file_has_a_digest(tmp_path: Path) -> None:
    contents = {"model/tokens.pt": b"a", "model/deep/vocabulary": b"b", "other/tokens.pt": b"c", "blob": b"d"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "model" / "linked.npz").symlink_to("../blob")
    folder = tmp_path / "model"
    declared = [tmp_path / "other" / "tokens.pt", folder / "tokens.pt", folder, tmp_path / "blob"]
    found = weight_digests(declared)
    assert sorted(found.values()) == sorted(hashlib.sha256(each).hexdigest() for each in contents.values())
    (folder / "deep" / "vocabulary").write_bytes(b"B")
    assert len(found.items() - weight_digests(declared).items()) == 1
    assert weight_digests([tmp_path / "other" / "tokens.pt", folder / "tokens.pt"]).keys() == {
        "tokens.pt",
        str(folder / "tokens.pt"),
    }


def test_shipped_weights_are_those_of_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "SHIPPED", (tmp_path,))
    folder = tmp_path / "mae-mini"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    weights = folder / "model.safetensors"
    weights.write_bytes(b"weights")
    assert model_folder("mae-mini", "autoencoder", "config.json") == folder
    entry = {"file": "mae-mini/model.safetensors", "sha256": hashlib.sha256(b"weights").hexdigest()}
    (tmp_path / "manifest.json").write_text(json.dumps({"mae-mini": entry}))
    assert model_folder("mae-mini", "autoencoder", "config.json") == folder
    weights.write_bytes(b"others")
    with pytest.raises(CheckpointError, match=r"the manifest expects .*: pedbench train mae-mini"):
        model_folder("mae-mini", "autoencoder", "config.json")


def test_an_attack_without_its_weights_is_not_checked(tmp_path: Path) -> None:
    attack = Vitmae(model=str(tmp_path / "nowhere"))
    with pytest.raises(MissingWeightsError, match="looked for"):
        attack.prepare("cpu")
    *_, last = check_attack(attack)
    assert last.rule == "preparation"
    assert "nowhere" in last.skipped
    assert not last.problem

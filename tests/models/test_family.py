"""Families: which file a network comes from, and what is said when it is not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.host.determinism import without_onednn
from pedbench.models.sam.architectures import PED_MINI, SAM_MINI, Architecture
from pedbench.models.sam.checkpoints import save_sam
from pedbench.models.sam.family import FILED, MINI, WEIGHTS, Family, Member, Weights, described_family, family
from pedbench.models.sam.networks import FamilyNetworks, load_network
from pedbench.models.sam.reorder import global_blocks


@pytest.fixture(autouse=True)
def forget_networks() -> Iterator[None]:
    yield
    load_network.cache_clear()


def in_folder(folder: Path) -> Family:
    def moved(member: Member | None) -> Member:
        assert member is not None
        assert member.file is not None
        return replace(member, file=folder / member.file.name)

    return replace(
        MINI,
        original=moved(MINI.original),
        fine_tuned=moved(MINI.fine_tuned),
        small=moved(MINI.small),
        blurred=moved(MINI.blurred),
        pixelated=moved(MINI.pixelated),
        dp_pixelated=moved(MINI.dp_pixelated),
        prolonged=moved(MINI.prolonged),
    )


def test_random_networks_of_every_name() -> None:
    networks = FamilyNetworks(family=MINI, random_seed=5)
    globals_at = {name: global_blocks(networks.network(name).image_encoder) for name in WEIGHTS}
    assert globals_at == {
        "original": (3, 7),
        "fine-tuned": (6, 7),
        "reordered": (6, 7),
        "windowed": (),
        "dropped": (),
        "small": (3,),
        "blurred": (3, 7),
        "pixelated": (3, 7),
        "dp-pixelated": (3, 7),
        "prolonged": (3, 7),
    }
    original = networks.network("original")
    assert networks.network("original") is original
    assert networks.network("dropped").image_encoder.pos_embed is original.image_encoder.pos_embed
    assert not any(parameter.requires_grad for parameter in original.parameters())


def test_missing_weights_name_file_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[Weights, str] = {
        "fine-tuned": "ped-mini",
        "blurred": "blur-mini",
        "pixelated": "pixelate-mini",
        "dp-pixelated": "dp-pixelate-mini",
        "prolonged": "sam-mini-prolonged",
    }
    for weights, name in names.items():
        with pytest.raises(CheckpointError) as caught:
            load_network(in_folder(tmp_path), weights)
        message = str(caught.value)
        assert str(tmp_path / f"{name}.safetensors") in message
        assert f"pedbench train {name}" in message
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    with pytest.raises(
        CheckpointError, match=r"no weights were named for ped-vit_b\n.*pedbench train ped-sam"
    ):
        load_network(family("vit_b", {"original": tmp_path / "b.pth"}), "fine-tuned")


def test_fine_tuned_weights_are_found_where_training_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    trained = tmp_path / "ped-vit_b" / "ped-vit_b.safetensors"
    trained.parent.mkdir()
    trained.touch()
    assert family("vit_b").fine_tuned.file == trained
    assert family("vit_b", {"fine-tuned": tmp_path / "other.pth"}).fine_tuned.file == tmp_path / "other.pth"


def test_weights_are_checked_against_the_manifest(
    tmp_path: Path, random_sam: Callable[[Architecture], Any]
) -> None:
    sam = random_sam(SAM_MINI)
    path = tmp_path / "sam-mini.safetensors"
    save_sam(sam, path)
    loaded = load_network(in_folder(tmp_path), "original")
    assert torch.equal(loaded.image_encoder.pos_embed, sam.image_encoder.pos_embed)
    load_network.cache_clear()
    manifest = {"sam-mini": {"file": path.name, "sha256": "0" * 64}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"found sha256 .*\nthe manifest expects 0000"):
        load_network(in_folder(tmp_path), "original")


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match="unknown model family 'vit_x'; known: mini, vit_b"):
        family("vit_x")
    with pytest.raises(ValueError, match="comes with its weights"):
        family("mini", {"original": "x.pth"})
    with pytest.raises(ValueError, match="unknown weights 'shuffled'"):
        load_network(MINI, "shuffled")
    with pytest.raises(
        ValueError, match=r"no file can be named for weights 'fine_tuned' .did you mean 'fine-tuned'"
    ):
        family("vit_b", {"fine_tuned": "x.pth"})


def test_a_real_family_has_what_is_fetched_and_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    real = family("vit_b", {"fine-tuned": tmp_path / "ped.pth"})
    assert real == described_family({"family": "vit_b", "weights": dict(real.named)})
    assert real.files() == [
        tmp_path / "checkpoints" / "sam_vit_b_01ec64.pth",
        tmp_path / "ped.pth",
        tmp_path / "hub" / "Zigeng" / "SlimSAM-uniform-77" / "model.safetensors",
    ]
    assert real.unnamed(["reordered", "fine-tuned", "small"]) == ""
    assert real.unnamed(["original", "blurred"]).startswith(
        "no weights were named for blur-vit_b: pass the path"
    )
    trained = tmp_path / "ped-vit_b" / "ped-vit_b.safetensors"
    assert (
        family("vit_b")
        .unnamed(["fine-tuned"])
        .startswith("no weights were named for ped-vit_b: pedbench train")
    )
    trained.parent.mkdir()
    trained.write_bytes(b"trained")
    assert family("vit_b").fine_tuned.file == trained
    (tmp_path / "ped.pth").write_bytes(b"ped")
    assert real.digests(["reordered"]) == {}
    assert real.digests(["fine-tuned"]) == {"ped-vit_b": hashlib.sha256(b"ped").hexdigest()}
    with pytest.raises(CheckpointError, match=r"for slimsam: looked for .*\n.*: pedbench fetch slimsam, or"):
        load_network(real, "small")


def test_every_named_file_is_the_one_that_is_used(tmp_path: Path) -> None:
    for weights in FILED:
        file = tmp_path / f"{weights}.safetensors"
        file.touch()
        found = family("vit_b", {weights: file}).member(weights)
        assert found is not None
        assert found.file == file


def test_digests_of_further_networks_are_taken_where_they_are_used(tmp_path: Path) -> None:
    trained = in_folder(tmp_path)
    for name in ("sam-mini", "blur-mini", "sam-mini-prolonged"):
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    core = {"sam-mini": hashlib.sha256(b"sam-mini").hexdigest()}
    assert trained.digests() == trained.digests(["original", "pixelated"]) == core
    assert trained.digests(["blurred"]) == core | {"blur-mini": hashlib.sha256(b"blur-mini").hexdigest()}


def test_the_degraded_members_are_those_of_the_original_network(
    tmp_path: Path, random_sam: Callable[[Architecture], Any]
) -> None:
    save_sam(random_sam(SAM_MINI), tmp_path / "blur-mini.safetensors")
    assert global_blocks(load_network(in_folder(tmp_path), "blurred").image_encoder) == (3, 7)
    save_sam(random_sam(PED_MINI), tmp_path / "pixelate-mini.safetensors")
    with pytest.raises(CheckpointError, match="expected pixelate-mini"):
        load_network(in_folder(tmp_path), "pixelated")


@pytest.mark.parametrize(("dtype", "kept"), [(torch.float32, False), (torch.bfloat16, True)])
def test_half_precision_keeps_its_fast_convolutions(dtype: torch.dtype, kept: bool) -> None:
    networks = FamilyNetworks(family=MINI, dtype=dtype, random_seed=0)
    with without_onednn(networks.exact):
        assert bool(torch.backends.mkldnn.enabled) == kept

"""The catalogue of files that can be fetched, and where these lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedbench.errors import MissingWeightsError
from pedbench.fetching.catalogue import catalogue, name_of
from pedbench.fetching.fetch import provider, states, verified
from pedbench.models.hub.folders import model_files, model_folder


def test_every_entry_has_a_licence_a_pinned_source_and_no_made_up_digest() -> None:
    paths = [file.path for item in catalogue().values() for file in item.files]
    assert len(set(paths)) == len(paths)
    for name, item in catalogue().items():
        assert item.licence
        assert bool(item.repository) == bool(item.revision) == (item.files[0].path.startswith("hub/"))
        for file in item.files:
            assert len(file.sha256) in (0, 8, 64)
            if len(file.sha256) == 8:
                assert file.path.endswith(f"-{file.sha256}.pth")
            assert file.size is None or file.roughly is None
            if item.repository:
                (source,) = file.sources
                inner = file.path.removeprefix(f"hub/{item.repository}/")
                assert source == f"https://huggingface.co/{item.repository}/resolve/{item.revision}/{inner}"
                assert name_of(item.repository) == name
            else:
                assert file.sha256
    names = {"sam_vit_b", "sam_vit_l", "sam_vit_h", "coco", "lpips_alex", "lpips_vgg", "lpips_squeeze"}
    names |= {"vit_mae_base", "vit_mae_large", "vit_mae_huge", "sd_inpainting", "rt_detr", "slimsam"}
    assert names == set(catalogue())
    assert name_of("facebook/vit-mae-small") == name_of("") == ""


def test_models_of_the_hub_lie_where_suites_look_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    for name, item in catalogue().items():
        if not item.repository:
            continue
        folder = tmp_path / "hub" / item.repository
        with pytest.raises(
            MissingWeightsError, match=f"(?s)looked for {folder}.*: pedbench fetch {name}; or"
        ):
            model_folder(item.repository, "network", "config.json")
        for file in item.files:
            (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.path).write_text("{}")
        assert {state.here for state in states(name)} == {True}
        assert model_files(item.repository) == (folder,)
        assert provider(folder) == provider(tmp_path / item.files[-1].path) == name
        described = "model_index.json" if name == "sd_inpainting" else "config.json"
        assert model_folder(item.repository, "network", described) == folder
    assert provider(tmp_path / "hub" / "facebook" / "others") == ""


def test_a_file_of_the_right_name_is_not_yet_the_file(tmp_path: Path) -> None:
    impostor = tmp_path / "sam_vit_b_01ec64.pth"
    impostor.write_bytes(b"something else")
    assert not verified(impostor)
    assert not verified(tmp_path / "absent.pth")

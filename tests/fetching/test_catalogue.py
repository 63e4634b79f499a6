"""The catalogue of files that can be fetched, and where these lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pedbench.errors import MissingWeightsError
from pedbench.fetching.catalogue import catalogue, name_of, published
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


OWN = """
[sam_vit_b]
about = "converted"
licence = "Apache-2.0"
[[sam_vit_b.files]]
path = "{path}"
size = 14
sha256 = "{digest}"
sources = ["https://mirror.example/sam.pth"]
[ours]
about = "a SAM of ours"
licence = "none"
repository = "owner/name"
revision = "0123456789012345678901234567890123456789"
files = [{{ path = "config.json" }}]
"""


@pytest.fixture
def uncached() -> Iterator[None]:
    """Forget the catalogue before and after a test."""
    catalogue.cache_clear()
    yield
    catalogue.cache_clear()


@pytest.mark.usefixtures("uncached")
def test_an_own_catalogue_replaces_entries_by_name_and_vouches_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, weights = tmp_path / "own.toml", tmp_path / "sam_vit_b_01ec64.pth"
    weights.write_bytes(b"something else")
    digest = hashlib.sha256(b"something else").hexdigest()
    file.write_text(OWN.format(path="checkpoints/sam_vit_b_01ec64.pth", digest=digest))
    monkeypatch.setenv("PEDBENCH_CATALOGUE", str(file))
    assert set(catalogue()) == {*published(), "ours"}
    assert catalogue()["sam_vit_b"].files[0].sha256 == digest
    assert catalogue()["coco"] == published()["coco"]
    assert name_of("owner/name") == "ours"
    assert not verified(weights)


@pytest.mark.usefixtures("uncached")
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("[sam_vit_b", "expected a file like"),
        ("[ours]\nabout = 'x'", "licence"),
        (OWN.format(path="elsewhere/sam.pth", digest=64 * "0"), r"\['elsewhere/sam.pth'\], expected"),
    ],
    ids=["missing", "no TOML", "incomplete", "other paths"],
)
def test_an_unusable_own_catalogue_is_refused(
    content: str | None, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.toml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("PEDBENCH_CATALOGUE", str(file))
    with pytest.raises(ValueError, match=rf"(?s)PEDBENCH_CATALOGUE={file}: .*{complaint}"):
        catalogue()

"""Masked autoencoders are loaded from folders of transformers."""

import json
from pathlib import Path

import pytest
import torch

from pedbench.errors import CheckpointError
from pedbench.models.attackers.vitmae import fit_positions, load_autoencoder
from tests.made_models import make_autoencoder


def test_positions_are_interpolated_as_a_grid(tmp_path: Path) -> None:
    network = load_autoencoder(str(make_autoencoder(tmp_path, side=224))).network
    fitted = fit_positions(network, 15)
    found = fitted.vit.embeddings.position_embeddings
    reference = network.vit.embeddings.interpolate_pos_encoding(torch.zeros(1, 226, 24), 240, 240)
    torch.testing.assert_close(found, reference)
    before = network.decoder.decoder_pos_embed[0, 1:].reshape(14, 14, -1)
    after = fitted.decoder.decoder_pos_embed[0, 1:].reshape(15, 15, -1)
    # Corners stay corners, and rows rows.
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert (after[corner] - before[corner]).norm() < (after[7, 7] - before[corner]).norm() / 3
    pictures, noise = torch.rand(1, 3, 240, 240), torch.randperm(225)[None].float()
    with torch.inference_mode():
        expected = network.vit(pictures, noise=noise, interpolate_pos_encoding=True).last_hidden_state
        torch.testing.assert_close(fitted.vit(pictures, noise=noise).last_hidden_state, expected)


def test_the_folder_says_how_pixels_are_normalised(tmp_path: Path) -> None:
    folder = make_autoencoder(tmp_path)
    settings = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    loaded = load_autoencoder(str(folder))
    assert loaded.mean.flatten().tolist() == settings["image_mean"]
    assert loaded.deviation.flatten().tolist() == settings["image_std"]


def test_what_is_no_such_model_is_refused(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTMAEModel

    with pytest.raises(
        CheckpointError, match=r"nano/config.json\nto get it: .*; to make it: pedbench train mae-nano"
    ):
        load_autoencoder("mae-nano")
    with pytest.raises(CheckpointError, match=r"looked for .*nowhere/config.json\npass a folder"):
        load_autoencoder(str(tmp_path / "nowhere"))
    with pytest.raises(
        CheckpointError, match=r"hub/someone/mae/config.json\nto get it: hf download someone/mae"
    ):
        load_autoencoder("someone/mae")
    ViTConfig().save_pretrained(tmp_path / "vit")
    with pytest.raises(CheckpointError, match="found a model of type 'vit'"):
        load_autoencoder(str(tmp_path / "vit"))
    whole = load_autoencoder(str(make_autoencoder(tmp_path / "code"))).network
    (tmp_path / "code" / "modeling.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match="found code next to the weights"):
        load_autoencoder(str(tmp_path / "code"))
    ViTMAEModel(whole.config).save_pretrained(tmp_path / "trunk")
    with pytest.raises(CheckpointError, match="found no weights for decoder"):
        load_autoencoder(str(tmp_path / "trunk"))


def test_a_state_dict_of_torch_is_read_as_well(tmp_path: Path) -> None:
    mini = make_autoencoder(tmp_path / "mini")
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_bytes((mini / "config.json").read_bytes())
    from safetensors.torch import load_file

    torch.save(load_file(mini / "model.safetensors"), folder / "pytorch_model.bin")
    expected = load_autoencoder(str(mini)).network.state_dict()
    found = load_autoencoder(str(folder)).network.state_dict()
    assert all(torch.equal(found[name], values) for name, values in expected.items())

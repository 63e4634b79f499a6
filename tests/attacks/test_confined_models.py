"""Models that a parameter names, in the confined processes that attacks run in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pedbench.adversary.isolation.answers import AttackFailure
from pedbench.adversary.isolation.pool import AttackPool
from pedbench.adversary.prior import load_prior
from pedbench.adversary.view_bytes import view_to_bytes
from pedbench.registry import Registry
from pedbench.types import Patch, View
from tests.made_models import make_inpaint_mini


def _view() -> View:
    picture = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    return View(
        frame_size=(128, 192), patches=(Patch(picture=picture, top=0, left=64, server=0),), prior=load_prior()
    )


def _save(name: str, folder: Path) -> None:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    torch.manual_seed(0)
    if name == "vitmae":
        sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        decoder = {f"decoder_{key}": value for key, value in sizes.items()}
        config = ViTMAEConfig(image_size=192, **sizes, **decoder)
        network = ViTMAEForPreTraining(config)
        for positions in (network.vit.embeddings.position_embeddings, network.decoder.decoder_pos_embed):
            torch.nn.init.normal_(positions)
        network.save_pretrained(folder)
    else:
        make_inpaint_mini(folder, guesser="completion-mini")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", ["vitmae", "diffusion_inpaint"])
def test_a_model_is_loaded_once_and_serves_every_job(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A cache of the hub has links in its snapshots.
    _save(name, tmp_path / "blobs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    for entry in (tmp_path / "blobs").iterdir():
        (tmp_path / "model" / entry.name).symlink_to(entry)
    registry = Registry()
    attack = registry.create("attacks", name, {"model": "./model"})
    spec = registry.spec("attacks", name, attack.params)
    data = view_to_bytes(_view())
    with AttackPool([spec], workers=1, readable=attack.files) as pool:
        first, second = (pool.submit(spec, [data], [3]).result().pictures[0] for _ in range(2))
    assert first.tobytes() == second.tobytes()
    attack.prepare("cpu")
    expected = attack.reconstruct(_view(), np.random.default_rng(3))
    np.testing.assert_allclose(first, expected, atol=1e-5)
    with AttackPool([spec], workers=1) as pool, pytest.raises(AttackFailure, match="model"):
        pool.submit(spec, [data], [3]).result()


@pytest.mark.long
def test_a_run_lets_attacks_read_their_models(run_small: Any, tmp_path: Path) -> None:
    _save("vitmae", tmp_path / "model")
    attack = {"name": "vitmae", "params": {"model": str(tmp_path / "model"), "window_patches": 2}}
    found = run_small(tmp_path / "run", attacks=["mean_colour", attack], defenses=[{"name": "ped_sam"}])
    records = found.of("ped_sam", "privacy", "vitmae")
    assert [record.status for record in records] == ["ok", "ok"], [record.reason for record in records]
    (floor, _) = found.of("ped_sam", "privacy", "mean_colour")
    for record in records:
        assert record.cell["weights"] != floor.cell["weights"]
        assert "model/model.safetensors" in record.provenance["weights"]

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from pedbench.models.attackers.inpainting import load_inpainting
from pedbench.models.attackers.vitmae import load_autoencoder
from pedbench.models.hub.detection import load_detector
from pedbench.models.manifest import ASSETS
from pedbench.models.sam.architectures import SAM_MINI
from pedbench.models.sam.checkpoints import read_state, write_safetensors
from pedbench.models.sam.family import MINI, family
from pedbench.models.sam.half_precision import converted
from pedbench.models.sam.networks import load_network
from tests.made_models import make_autoencoder, make_detector
from tools.studies.sam_programs import save_for_transformers


def test_a_converted_file_is_made_once_and_holds_the_encoder_in_the_other_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    file = MINI.original.file
    assert file is not None
    with ThreadPoolExecutor(4) as threads:
        copies = set(threads.map(lambda _: converted(file, torch.bfloat16), range(4)))
    (path,) = copies
    written = path.stat().st_mtime_ns
    found, expected = read_state(path), read_state(file)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        dtype = torch.bfloat16 if name.startswith("image_encoder.") else torch.float32
        assert value.dtype == dtype
        assert torch.equal(value, expected[name].to(dtype))
    assert converted(file, torch.float16) != path
    load_network.cache_clear()
    sam = load_network(MINI, "original", dtype=torch.bfloat16)
    load_network.cache_clear()
    assert {parameter.dtype for parameter in sam.image_encoder.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in sam.mask_decoder.parameters()} == {torch.float32}
    assert path.stat().st_mtime_ns == written


def store(folder: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Convert the weights of a folder, as repositories in half precision have them, and return them all."""
    tensors: dict[str, torch.Tensor] = {}
    for file in folder.rglob("*.safetensors"):
        content = {name: value.to(dtype) for name, value in read_state(file).items()}
        write_safetensors(file, content, {"format": "pt"})
        tensors |= content
        config = file.with_name("config.json")
        settings = json.loads(config.read_text())
        if "model_type" in settings:
            settings["dtype"] = str(dtype).removeprefix("torch.")
        config.write_text(json.dumps(settings))
    return tensors


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_sam_of_half_precision_computes_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    folder = tmp_path / "sam"
    save_for_transformers(read_state(ASSETS / "sam-mini.safetensors"), SAM_MINI, folder)
    store(folder, dtype)
    network = load_network(family(str(folder)), "original")
    expected = load_network(MINI, "original")
    pixels = torch.randn(1, 3, 320, 320)
    torch.testing.assert_close(
        network.image_encoder(pixels), expected.image_encoder(pixels), rtol=0.05, atol=0.05
    )
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}


def inpainting_part(model: str) -> Any:
    return load_inpainting(model).pipeline.unet


LOADERS: dict[str, tuple[Callable[[Path], object], Callable[[str], Any]]] = {
    "autoencoder": (make_autoencoder, lambda model: load_autoencoder(model).network),
    "detector": (make_detector, lambda model: load_detector(model, "cpu").network),
    "inpainting": (lambda folder: shutil.copytree(ASSETS / "inpaint-mini", folder), inpainting_part),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_networks_of_half_precision_compute_in_float32(kind: str, tmp_path: Path) -> None:
    make, load = LOADERS[kind]
    make(tmp_path / kind)
    tensors = store(tmp_path / kind, torch.float16)
    state = load(str(tmp_path / kind)).state_dict()
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}
    name = next(name for name in tensors if name in state and tensors[name].ndim > 1)
    assert torch.equal(state[name], tensors[name].float())

"""Files of the catalogue, made at random in the real formats, as a mirror has them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
import torch

from pedbench.fetching.catalogue import HUB, Entry, published
from pedbench.scenes.store import write_split
from tests.conftest import PHOTOGRAPHS
from tests.made_models import make_autoencoder, make_detector, make_inpainting, make_sam

COCO = PHOTOGRAPHS.with_name("coco")


def make_mirror(folder: Path, names: Iterable[str], pictures: int) -> Path:
    """Make the files of some entries of the catalogue, and a catalogue with their sizes and digests.

    Args:
        folder: The mirror's folder.
        names: Names of the entries.
        pictures: Number of pictures of COCO.

    Returns:
        The catalogue's file.
    """
    hub = folder / HUB
    folder.mkdir()
    make_sam(folder / "sam_vit_b_01ec64.pth", "small")
    make_sam(hub / "Zigeng/SlimSAM-uniform-77/model.safetensors", "small", seed=1)
    make_autoencoder(hub / "facebook/vit-mae-base", side=224)
    _make_inpainting(hub / "stable-diffusion-v1-5/stable-diffusion-inpainting")
    make_detector(hub / "PekingU/rtdetr_r50vd")
    _make_trunk(folder / "alexnet-owt-7be5be79.pth")
    _make_coco(folder, pictures)
    entries = {name: _entry(folder, published()[name]) for name in names}
    catalogue = folder.with_name("catalogue.toml")
    catalogue.write_text(tomli_w.dumps(entries), encoding="utf-8")
    return catalogue


def _entry(folder: Path, item: Entry) -> dict[str, Any]:
    """Return an entry of the catalogue with the sizes and digests of the mirror's files, as TOML values."""
    files = []
    for file in item.files:
        at_hub = file.path.startswith(f"{HUB}/")
        stored = folder / (file.path if at_hub else Path(file.path).name)
        if not stored.exists():
            # Settings files that current libraries neither write nor need.
            stored.parent.mkdir(parents=True, exist_ok=True)
            stored.write_text("{}")
        content = stored.read_bytes()
        path = file.path.removeprefix(f"{HUB}/{item.repository}/")
        found: dict[str, Any] = {"path": path, "size": len(content), "sha256": _sha256(content)}
        found |= {} if at_hub else {"sources": file.sources}
        files.append(found | ({"unpack": file.unpack.model_dump()} if file.unpack else {}))
    facts = item.model_dump(include={"about", "licence", "repository", "revision"}, exclude_defaults=True)
    return facts | {"files": files}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _make_inpainting(folder: Path) -> None:
    """Write a pipeline whose tokenizer has the two files of the published one, not transformers' newer single file."""
    tokenizer = make_inpainting(folder, variant="fp16") / "tokenizer"
    content = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    (tokenizer / "tokenizer.json").unlink()
    (tokenizer / "vocab.json").write_text(json.dumps(content["model"]["vocab"]), encoding="utf-8")
    (tokenizer / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


def _make_trunk(file: Path) -> None:
    """Write the convolutions of torchvision's AlexNet, which are all that LPIPS reads."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    state: Mapping[str, torch.Tensor] = alexnet(weights=None).features.state_dict()
    torch.save({f"features.{name}": value for name, value in state.items()}, file)


def _make_coco(folder: Path, count: int) -> None:
    """Pack photographs of COCO where they are present, else scenes, as val2017's two archives."""
    if COCO.is_dir():
        pictures, instances = COCO / "val2017", COCO / "annotations" / "instances_val2017.json"
    else:
        write_split(folder.with_name("scenes"), seed=5, count=count, split="val", workers=1)
        pictures = folder.with_name("scenes") / "images"
        instances = pictures.with_name("annotations") / "instances.json"
    content = json.loads(instances.read_text(encoding="utf-8"))
    content["images"] = sorted(content["images"], key=lambda each: int(each["id"]))[:count]
    chosen = {each["id"] for each in content["images"]}
    content["annotations"] = [each for each in content["annotations"] if each["image_id"] in chosen]
    with zipfile.ZipFile(folder / "annotations_trainval2017.zip", "w") as archive:
        archive.writestr("annotations/instances_val2017.json", json.dumps(content))
        archive.writestr("annotations/captions_val2017.json", "{}")
    with zipfile.ZipFile(folder / "val2017.zip", "w") as archive:
        for each in content["images"]:
            archive.write(pictures / each["file_name"], f"val2017/{each['file_name']}")

"""Folders of pretrained models in Hugging Face's formats: local only, and no code of theirs is run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedbench.errors import CheckpointError, MissingWeightsError
from pedbench.fetching.digests import digest
from pedbench.host.home import home
from pedbench.models.manifest import is_shipped, manifest_entry, shipped, trained_on, verify_weights
from pedbench.models.trained import is_trained, trained, training_command

_MOST_TYPES = 40
"""Number of types of models up to which a message lists all."""


def model_reference(model: str) -> str:
    """Return a model's name for a configuration, independent of the working directory.

    Args:
        model: The name of a shipped or trained model, a local folder, or an id of the Hugging Face hub.

    Returns:
        The absolute path of a folder; other names unchanged.
    """
    path = Path(model).expanduser()
    is_path = path.is_absolute() or model.startswith(("~", ".")) or ("/" in model and path.exists())
    return str(path.resolve()) if is_path else model


def model_files(model: str) -> tuple[Path, ...]:
    """Return the paths that loading a model reads: its folder, existing or not, and the targets of its links."""
    folder = _folder(model)
    targets = {file.resolve() for file in folder.rglob("*") if file.is_symlink()}
    return (folder, *sorted(targets))


def model_knowledge(model: str) -> str:
    """Describe a model's training data in words: the manifest's entry of a shipped one, else the weights' name."""
    return trained_on(model) if manifest_entry(model) else f"the weights of {Path(model).name}"


def weights_file(model: str) -> Path:
    """Return the weights file of a shipped or trained network by its name, or another file by its path."""
    path = Path(model).expanduser()
    return path.resolve() if path.suffix else _named(f"{model}.safetensors")


def weight_digests(files: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of each file among files and in folders, by its path below the folder's parent.

    A second file with the same path below another parent is listed by its whole path.
    """
    digests: dict[str, str] = {}
    seen: set[Path] = set()
    # Folders first: a declared file may be in one, or the target of a link in one.
    for path in sorted(files, key=lambda each: not each.is_dir()):
        for file in _contents(path):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                name = str(file.relative_to(path.parent))
                digests[str(file) if name in digests else name] = digest(file)
    return digests


def _contents(path: Path) -> list[Path]:
    """Return all files in a folder; of a shipped model's the weights, as its settings change with the package only."""
    known = manifest_entry(path.name, path.parent) if is_shipped(path) and path.is_dir() else {}
    if known:
        return [path.parent / known["file"]]
    return [file for file in (path, *sorted(path.rglob("*"))) if file.is_file()]


def model_folder(model: str, kind: str, description: str) -> Path:
    """Return the folder of a model after all checks that need no loading.

    Args:
        model: Result of `model_reference`.
        kind: Kind of model that is expected, for messages.
        description: The file that describes a model of that kind, e.g. "config.json".

    Raises:
        MissingWeightsError: The model is not on this machine.
        CheckpointError: The folder contains code, or the digest differs from the manifest.
    """
    folder = _folder(model)
    if not (folder / description).is_file():
        raise MissingWeightsError(
            f"no {kind} {model!r}: looked for {folder / description}\n{_advice(model, folder)}"
        )
    code = sorted(folder.rglob("*.py"))
    if code:
        raise CheckpointError(
            f"{folder}: found code next to the weights ({code[0].name})\n"
            "expected weights and settings only: code of a model is never run"
        )
    known = manifest_entry(folder.name, folder.parent) if is_shipped(folder) else {}
    if known:
        verify_weights(folder.name, folder.parent / known["file"], folder.parent)
    return folder


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: The file is not a JSON object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file}: found no JSON ({error})\nexpected a model's settings") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: found a {type(content).__name__}\nexpected a JSON object")
    return content


def refuse_gaps(folder: Path, missing: Iterable[str], kind: str) -> None:
    """Refuse incomplete weights, some of which would stay random.

    Raises:
        CheckpointError: Some weights are missing.
    """
    names = sorted(missing)
    if names:
        raise CheckpointError(
            f"{folder}: found no weights for {names[0]} and {len(names) - 1} more\n"
            f"expected all weights of {kind}: they would stay random"
        )


def load_pretrained(auto: Any, folder: Path, kind: str) -> Any:
    """Load a network of transformers in float32 and evaluation mode, frozen, without any code of the folder.

    Args:
        auto: One of transformers' `AutoModel` classes.
        folder: Result of `model_folder`.
        kind: Kind of model that is expected, with its article, for messages.

    Raises:
        CheckpointError: Weights in .safetensors files are missing or incomplete.
    """
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(f"{folder}: found no weights in .safetensors files\nexpected those of {kind}")
    from transformers.utils import logging

    logging.disable_progress_bar()
    network, report = auto.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    refuse_gaps(folder, report["missing_keys"], kind)
    return network.float().eval().requires_grad_(False)


@dataclass(frozen=True, kw_only=True)
class HubModel:
    """A network of transformers with its image processor.

    Attributes:
        network: The network, in evaluation mode, its parameters frozen.
        processor: Its image processor.
        device: Torch's name of its device.
    """

    network: Any
    processor: Any
    device: str


def load_with_processor(
    model: str, device: str, auto: Any, types: Collection[str], kind: str, *processor_files: str
) -> dict[str, Any]:
    """Load the fields of a `HubModel`; nothing is downloaded and no code of the model is run.

    Args:
        model: Result of `model_reference`.
        device: Torch's name of the device.
        auto: One of transformers' `AutoModel` classes.
        types: Types of models that are of the expected kind.
        kind: Kind of model that is expected, with its article, for messages.
        processor_files: Files of which one describes the image processor.

    Raises:
        CheckpointError: The model is missing or of another kind.
    """
    folder = model_folder(model, kind.partition(" ")[2], "config.json")
    from transformers import AutoImageProcessor

    found = read_json(folder / "config.json").get("model_type")
    if found not in types:
        known = f", one of the types {', '.join(sorted(types))}" if len(types) <= _MOST_TYPES else ""
        raise CheckpointError(f"{folder}: found a model of type {found!r}\nexpected {kind}{known}")
    if not any((folder / name).is_file() for name in processor_files):
        raise CheckpointError(
            f"{folder}: found no {' or '.join(processor_files)}\n"
            f"expected that of {kind}: save its processor there, too"
        )
    network = load_pretrained(auto, folder, kind).to(device)
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    return {"network": network, "processor": processor, "device": device}


def _advice(model: str, folder: Path) -> str:
    if is_trained(folder):
        return f"to make it: {training_command(model)}"
    if is_shipped(folder):
        return f"to get it: python -m pip install pedbench-weights; to make it: pedbench train {model}"
    if Path(model).is_absolute():
        return "pass a folder of `save_pretrained`"
    from pedbench.fetching.catalogue import name_of

    name = name_of(model)
    get = f"pedbench fetch {name}" if name else f"hf download {model}"
    return f"to get it: {get}; or pass the path of a local folder"


def _folder(model: str) -> Path:
    """Return a model's folder, existing or not; a hub model's is that of `pedbench fetch` or in the hub's cache."""
    if "/" not in model:
        return _named(model)
    if Path(model).is_absolute():
        return Path(model)
    from pedbench.fetching.catalogue import HUB

    fetched = home() / HUB / model
    if not fetched.is_dir():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        with contextlib.suppress(HFValidationError, LocalEntryNotFoundError):
            return Path(snapshot_download(model, local_files_only=True))
    return fetched


def _named(name: str) -> Path:
    """Return the path of a shipped network, or of one that `pedbench train` makes for real models, by its name."""
    return trained(name) if training_command(name) else shipped(name)

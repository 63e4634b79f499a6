"""ViTMAE networks of transformers from local folders: the mini family's and public ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pedbench.errors import CheckpointError
from pedbench.models.hub.folders import model_folder, read_json, refuse_gaps
from pedbench.models.kept import kept
from pedbench.models.unallocated import unallocated
from pedbench.pictures.windows import WindowGrid

WEIGHTS = (".safetensors", ".bin")
"""Suffixes of weights files; `.bin` are state dicts of torch, read without running pickled code."""

_KIND = "masked autoencoder (transformers' ViTMAEForPreTraining)"
_POSITIONS = ("vit.embeddings.position_embeddings", "decoder.decoder_pos_embed")

# ImageNet statistics, with which the public weights were trained.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class MaskedAutoencoder:
    """A network with the normalisation of its input.

    Attributes:
        network: A `transformers.ViTMAEForPreTraining` of float32 in evaluation mode, its parameters frozen.
        mean: (3, 1, 1) mean of pixels in [0, 1].
        deviation: (3, 1, 1) standard deviation of pixels in [0, 1].
        device: Torch's name of the device of all of these.
    """

    network: Any
    mean: Tensor
    deviation: Tensor
    device: str = "cpu"

    @property
    def side(self) -> int:
        """Side in pixels of its training pictures."""
        return int(self.network.config.image_size)

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return int(self.network.config.patch_size)

    @property
    def normalised_targets(self) -> bool:
        """Whether its targets were patches of mean 0 and variance 1, so that predictions lack both."""
        return bool(self.network.config.norm_pix_loss)

    def to(self, device: str) -> MaskedAutoencoder:
        """Move the network and its statistics to a device."""
        return replace(
            self,
            network=self.network.to(device),
            mean=self.mean.to(device),
            deviation=self.deviation.to(device),
            device=device,
        )


def load_pixel_autoencoder(model: str) -> MaskedAutoencoder:
    """Load a ViTMAE whose predictions are pixels; see `load_autoencoder`.

    Raises:
        ValueError: The model was trained on normalised pixels.
        CheckpointError: The model is missing or of another kind.
    """
    loaded = load_autoencoder(model)
    if loaded.normalised_targets:
        raise ValueError(
            f"{model} was trained on normalised pixels: expected one trained on pixels as they are"
        )
    return loaded


@kept
def load_autoencoder(model: str) -> MaskedAutoencoder:
    """Load a ViTMAE with its decoder; nothing is downloaded and no code of the model is run.

    Args:
        model: Result of `model_reference`.

    Raises:
        CheckpointError: The model is missing or of another kind.
    """
    folder = model_folder(model, _KIND, "config.json")
    kind = read_json(folder / "config.json").get("model_type")
    if kind != "vit_mae":
        raise CheckpointError(f"{folder}: found a model of type {kind!r}\nexpected a {_KIND}")
    from transformers import ViTMAEForPreTraining
    from transformers.utils import logging

    logging.disable_progress_bar()
    safe = any(folder.glob("*.safetensors"))
    if not safe and not any(folder.glob("*.bin")):
        raise CheckpointError(
            f"{folder}: found no weights in {' or '.join(WEIGHTS)} files\nexpected those of a {_KIND}"
        )
    network, report = ViTMAEForPreTraining.from_pretrained(
        folder, local_files_only=True, use_safetensors=safe, weights_only=True, output_loading_info=True
    )
    refuse_gaps(folder, report["missing_keys"], _KIND)
    for name in _POSITIONS:
        # transformers 5 leaves positions at zero in new networks, and trains and saves them so.
        if not network.state_dict()[name][:, 1:].any():
            raise CheckpointError(
                f"{folder}: found positions ({name}) that are all zero, so that patches cannot be distinguished\n"
                f"expected a {_KIND} that was trained with positions"
            )
    config = network.config
    if not all(isinstance(length, int) for length in (config.image_size, config.patch_size)):
        raise CheckpointError(
            f"{folder}: found sizes {config.image_size} and patches {config.patch_size}\nexpected squares"
        )
    file = folder / "preprocessor_config.json"
    settings = read_json(file) if file.is_file() else {}
    return MaskedAutoencoder(
        network=network.float().eval().requires_grad_(False),
        mean=torch.tensor(settings.get("image_mean", _MEAN)).reshape(3, 1, 1),
        deviation=torch.tensor(settings.get("image_std", _DEVIATION)).reshape(3, 1, 1),
    )


def patches_per_window(grid: WindowGrid, native: int, patch: int) -> int:
    """Return the patches along a window's side that come nearest to an autoencoder's training size.

    Args:
        grid: Square grid of windows.
        native: Side in pixels of the autoencoder's training pictures.
        patch: Side of its patches in pixels.
    """
    return max(1, round(native / patch / grid.rows))


def fit_positions(network: Any, count: int) -> Any:
    """Return a network for `count` patches along a side, with shared weights and interpolated positions.

    transformers interpolates the decoder's positions along the flattened grid, which mixes its rows; here both
    tables are interpolated as grids.

    Args:
        network: A `ViTMAEForPreTraining`.
        count: Patches along a side.
    """
    if count * count == network.vit.embeddings.patch_embeddings.num_patches:
        return network
    from transformers import ViTMAEForPreTraining

    config = type(network.config).from_dict(network.config.to_dict())
    config.image_size = count * config.patch_size
    state = dict(network.state_dict())
    for name in _POSITIONS:
        table = state[name]
        before = round((table.shape[1] - 1) ** 0.5)
        grid = table[:, 1:].reshape(1, before, before, -1).permute(0, 3, 1, 2)
        grid = functional.interpolate(grid, (count, count), mode="bicubic", align_corners=False)
        state[name] = torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
    with unallocated():
        fitted = ViTMAEForPreTraining(config)
    fitted.load_state_dict(state, assign=True)
    return fitted.eval().requires_grad_(False)

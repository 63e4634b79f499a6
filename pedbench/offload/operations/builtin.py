"""Operations on whole pictures and on windows, and the loading of all operations."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from pedbench.base import Defense, Field, Networks, Operation
from pedbench.errors import PluginError
from pedbench.fetching.digests import digest
from pedbench.host.classes import subclasses
from pedbench.models.sam.assembly import preprocess
from pedbench.models.sam.family import WEIGHTS
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.payload_fields import (
    FEATURES,
    PLACES,
    REPLY_DTYPES,
    TOKENS,
    encoded,
    holding,
    places,
    same_bits,
    shown_tokens,
    token_places,
)
from pedbench.offload.operations.tiles import crop_tiles, embed_tiles, stages, tokens_to_tiles
from pedbench.pictures.frame import from_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.registry import Origin
from pedbench.types import Patch, Payload, Tokens, Window

_OWN_MODULES = tuple(f"pedbench.offload.operations.{name}" for name in ("builtin", "blocks", "redacted"))


class EncodeImage(Operation):
    """Run the whole image encoder on one picture.

    `pixels` is the picture without padding; the reply's `features` are its (1, C, h, w) embedding.
    """

    name = "encode_image"
    request: ClassVar = {"pixels": Field(dtypes=("uint8",), shape=("height", "width", 3))}
    reply: ClassVar = FEATURES
    arguments: ClassVar = {"weights": WEIGHTS, "reply": REPLY_DTYPES}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        network = networks.network(arguments["weights"])
        features = network.image_encoder(preprocess(network, torch.tensor(payload["pixels"])))
        return {"features": encoded(features, arguments)}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        picture = from_uint8(payload["pixels"])
        return [Patch(picture=picture, top=0, left=0, server=server, request=request)]


class EncodeWindows(Operation):
    """Run the window stage on the pixels of some windows.

    `pixels` are the windows' tiles, zero beyond the frame; `positions` are their rows and columns, in reading order;
    `frame` is the frame's height and width. The reply's `tokens` are the output of the last window block.
    """

    name = "encode_windows"
    request: ClassVar = {
        "pixels": Field(dtypes=("uint8",), shape=("windows", "extent", "extent", 3)),
        **PLACES,
    }
    reply: ClassVar = {"tokens": TOKENS}
    arguments: ClassVar = {"weights": WEIGHTS, "reply": REPLY_DTYPES}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        network = networks.network(arguments["weights"])
        stage = stages(network)[0]
        windows, frame = places(payload, stage.grid)
        tokens = embed_tiles(network, crop_tiles(payload["pixels"].copy(), windows, stage.grid, frame))
        return {"tokens": encoded(stage(tokens, windows), arguments)}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        grid = window_grid(networks.network(arguments["weights"]).image_encoder)
        windows, frame = places(payload, grid)
        return _patches(payload["pixels"], windows, grid, frame, server, request)


class EncodeWindowTokens(Operation):
    """Run the window stage on patch-embedded windows.

    `tokens` are the output of the patch embedding, without position embedding, zero beyond the token grid. All else is
    as in `encode_windows`.
    """

    name = "encode_window_tokens"
    request: ClassVar = {"tokens": TOKENS, **PLACES}
    reply: ClassVar = {"tokens": TOKENS}
    arguments: ClassVar = {"weights": WEIGHTS, "reply": REPLY_DTYPES}

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        stage = stages(networks.network(arguments["weights"]))[0]
        windows, _ = places(payload, stage.grid)
        tokens = torch.tensor(payload["tokens"]).to(stage.encoder.pos_embed)
        return {"tokens": encoded(stage(tokens, windows), arguments)}

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Patch | Tokens]:
        network = networks.network(arguments["weights"])
        grid = stages(network)[0].grid
        windows, frame = places(payload, grid)
        tokens = payload["tokens"]
        positions = token_places(windows, grid)
        inside = holding(positions, grid, frame)
        if not same_bits(tokens[~inside], _beyond_frame(network, tokens, positions, grid)[~inside]):
            raise ValueError(f"tokens carry something beyond the frame of {frame} pixels")
        tiles = tokens_to_tiles(network, torch.tensor(tokens))
        if tiles is None:
            return shown_tokens(tokens, positions, inside, 0, server, request)
        for tile, window in zip(tiles, windows, strict=True):
            place = grid.tile(window, frame)
            tile[place.height :] = 0
            tile[:, place.width :] = 0
        return _patches(tiles, windows, grid, frame, server, request)


def load_operations(modules: Iterable[str] = ()) -> dict[str, Operation]:
    """Return the operations of this package and of other modules, by name.

    Args:
        modules: Importable modules that define `Operation` subclasses.

    Raises:
        ValueError: A module has no operations, or two operations have the same name.
    """
    operations: dict[str, Operation] = {}
    for module in (*_OWN_MODULES, *dict.fromkeys(modules)):
        classes = defined_in(module)
        if not classes:
            raise ValueError(f"module {module} defines no operation")
        for each in classes:
            if each.name in operations:
                raise ValueError(f"operation {each.name!r} of {module} is already taken")
            operations[each.name] = each()
    return operations


def source_hash(operation: Operation) -> str:
    """Return the hex SHA-256 of the file that defines an operation. Both ends must run the same code."""
    return digest(Path(inspect.getfile(type(operation))))


def defined_in(module: str) -> list[type[Operation]]:
    """Return the operation classes that an importable module defines itself."""
    members = subclasses(vars(importlib.import_module(module)).values(), Operation)
    return [member for member in members if member.__module__ == module and not inspect.isabstract(member)]


def _beyond_frame(
    network: Any, tokens: npt.NDArray[Any], positions: npt.NDArray[np.int64], grid: WindowGrid
) -> npt.NDArray[Any]:
    """Return the expected tokens beyond the frame: the embedding's bias on the canvas, zero outside the grid."""
    bias: npt.NDArray[Any] = network.image_encoder.patch_embed.proj.bias.detach().cpu().numpy()
    bias = bias.astype(tokens.dtype)
    on_canvas = (positions < grid.tokens).all(axis=-1, keepdims=True)
    return np.where(on_canvas, bias, np.zeros_like(bias))


def _patches(
    tiles: npt.NDArray[np.uint8],
    windows: Sequence[Window],
    grid: WindowGrid,
    frame: tuple[int, int],
    server: int,
    request: int,
) -> list[Patch]:
    crops = crop_tiles(tiles, windows, grid, frame)
    corners = [grid.tile(window, frame)[:2] for window in windows]
    return [
        Patch(picture=from_uint8(crop), top=top, left=left, server=server, request=request)
        for crop, (top, left) in zip(crops, corners, strict=True)
    ]


def operation_modules(defense: Defense, origin: Origin) -> set[str]:
    """Return the modules of the operations that a defense's module defines or imports, besides those of every server.

    Raises:
        PluginError: Servers could not import one of them.
    """
    plugin = sys.modules[type(defense).__module__]
    kinds = subclasses(vars(plugin).values(), Operation)
    known = (Operation.__module__, EncodeImage.__module__)
    modules = {kind.__module__ for kind in kinds if kind.__module__ not in known}
    if plugin.__name__ in modules and origin.type == "path":
        raise PluginError(
            f"defense {defense.name} ({origin}) defines operations of its own: servers load them by name, so they "
            "have to lie in an importable module. Move the file to `defenses/` of the checkout, or begin a package "
            "with `pedbench new defense NAME --package`."
        )
    return modules

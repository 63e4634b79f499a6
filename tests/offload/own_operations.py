"""Honest and dishonest operations of plugins."""

import threading
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from pedbench.base import Field, Networks, Operation
from pedbench.pictures.frame import from_uint8
from pedbench.types import Patch, Payload, Tokens

BLOB = {"blob": Field(dtypes=("uint8",), shape=("size",))}
PIXELS = {"pixels": Field(dtypes=("uint8",), shape=("height", "width", 3))}


class Echo(Operation):
    """Returns the pixels, and shows all of them."""

    name = "echo"
    request: ClassVar = PIXELS
    reply: ClassVar = PIXELS

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        return payload

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        picture = from_uint8(payload["pixels"])
        return [Patch(picture=picture, top=0, left=0, server=server, request=request)]


class Grey(Echo):
    """Shows a picture without an axis for colours."""

    name = "grey"

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        picture = from_uint8(payload["pixels"])[..., 0]
        return [Patch(picture=picture, top=0, left=0, server=server, request=request)]


class Liar(Echo):
    """Shows only a corner of its payload."""

    name = "liar"

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        picture = from_uint8(payload["pixels"][:8, :8])
        return [Patch(picture=picture, top=0, left=0, server=server, request=request)]


class Coarse(Echo):
    """Receives floats, and shows them rounded to 8-bit levels."""

    name = "coarse"
    request: ClassVar = {"pixels": Field(dtypes=("float32",), shape=("height", "width", 3))}
    reply: ClassVar = request

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Patch]:
        picture = from_uint8(np.rint(payload["pixels"] * 255).clip(0, 255).astype(np.uint8))
        return [Patch(picture=picture, top=0, left=0, server=server, request=request)]


class Opaque(Operation):
    """Cannot show its payload as pixels."""

    name = "opaque"
    request: ClassVar = BLOB
    reply: ClassVar = BLOB

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        return payload


class Misshapen(Opaque):
    """Shows tokens with an axis too many."""

    name = "misshapen"

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> list[Tokens]:
        values, positions = np.ones((1, 2, 8), np.float32), np.zeros((1, 2, 2), np.int64)
        return [Tokens(values=values, positions=positions, depth=0, server=server, request=request)]


class Hang(Opaque):
    """Never answers."""

    name = "hang"

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        threading.Event().wait()
        return payload


class Tensor(Opaque):
    """Returns a tensor."""

    name = "tensor"

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        return {name: torch.tensor(array) for name, array in payload.items()}  # type: ignore[misc]


class Broken(Opaque):
    """Raises KeyError."""

    name = "broken"

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        raise KeyError("no such thing")


class Other(Opaque):
    """Returns a reply that does not match its declaration."""

    name = "other"
    reply: ClassVar = PIXELS


class Keyed(Echo):
    """Receives pixels under a key that it holds, and shows what lies on the wire."""

    name = "keyed"

    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        return {"pixels": under_key(payload["pixels"])}


def under_key(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    key = np.random.default_rng(0xC0FFEE).integers(0, 256, pixels.shape, np.uint8)
    changed: npt.NDArray[np.uint8] = np.bitwise_xor(pixels, key)
    return changed

"""Troubles that a server gets into in the middle of a pass: it stalls, dies, or replies late or wrongly."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pedbench.base import Cloud, Edge, Embedding
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.network.links import Link
from pedbench.offload.passes.calls import PassSettings
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import decode_answer, encode_answer
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.types import Picture

W = "reordered"


Trouble = Callable[[VirtualServers, Cloud, pytest.MonkeyPatch], None]


@dataclass(kw_only=True)
class Troubled(PedSam):  # type: ignore[misc]
    """ped_sam whose second server gets into trouble after the pass has begun."""

    name = "troubled"
    trouble: Callable[[Cloud], None] = lambda cloud: None

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        # A payload that cannot be shown counts as the whole frame.
        return 2.0

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        self.trouble(cloud)
        embedding: Embedding = super().embed(frame, edge, cloud)
        return embedding


def stall(servers: VirtualServers, cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    os.kill(servers.pids()[1], signal.SIGSTOP)


def be_late(servers: VirtualServers, cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    cloud[1].call("hang", blob=np.zeros(3, np.uint8))


def die(servers: VirtualServers, cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    be_late(servers, cloud, patch)

    def encode_here(*arguments: Any) -> Any:
        """Run the trouble: this function is called after all messages were sent."""
        patch.undo()
        servers.kill(1)
        return streaming.encode_here(*arguments)

    from pedbench.offload.passes import stream_windows as streaming

    patch.setattr(streaming, "encode_here", encode_here)


class Wrong:
    """Return a reply without the tokens of one window, or the call for it."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def future(self, data: bytes, timeout: float) -> "Wrong":
        return Wrong(self._real.future(data, timeout=timeout))

    def add_done_callback(self, listener: Callable[[Any], None]) -> None:
        self._real.add_done_callback(lambda _: listener(self))

    def result(self) -> bytes:
        from pedbench.offload.operations.builtin import EncodeWindows

        answer = decode_answer(self._real.result(), EncodeWindows.reply, "")
        answer.payload["tokens"] = answer.payload["tokens"][1:]  # type: ignore[index]
        return encode_answer(answer)


def be_wrong(servers: VirtualServers, cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    right = servers.call
    patch.setattr(servers, "call", lambda server: Wrong(right(server)) if server == 1 else right(server))


def undisturbed(
    frame: Picture, servers: VirtualServers, networks: FamilyNetworks, link: Link | None = None
) -> Pass:
    return run_pass(
        PedSam(weights=W), frame, servers, networks, np.random.default_rng(0), PassSettings(link=link)
    )


def contents(done: Pass) -> list[tuple[int, bytes]]:
    """Return server and window of each tile that the servers received."""
    return sorted(
        (message.server, tile.tobytes())
        for message in done.received
        if message.payload is not None and message.operation == "encode_windows"
        for tile in message.payload["pixels"]
    )

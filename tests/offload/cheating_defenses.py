"""Defenses that send more than they declare, each by a function, and the audit of what servers received."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import grpc
import numpy as np

from pedbench.base import Cloud, Defense, Disclosure, Edge, Embedding
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.observation import Observation, observe
from pedbench.offload.operations.tiles import cut_tiles, embed_windows
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.wire.messages import METHOD, Call, encode_call
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.privacy.disclosure_audit import Audit, audit
from pedbench.types import Payload, Picture

W = "reordered"


@dataclass(kw_only=True)
class Cheat(Defense):
    """Declares what ped_sam declares, and runs a function of the test."""

    name = "cheat"
    version = 1
    disclosure: ClassVar[Disclosure] = "exact"
    script: Callable[[Picture, Edge, Cloud], Any]
    servers: int = 3

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return float(PedSam().max_share(frame, grid))

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        self.script(frame, edge, cloud)
        return edge.encode_image(frame, W)


def run(defense: Any, frame: Picture, servers: VirtualServers, networks: FamilyNetworks) -> Pass:
    return run_pass(defense, frame, servers, networks, np.random.default_rng(0))


@dataclass(kw_only=True)
class Unbound(Cheat):
    """Declares that one server may get everything, so that the edge refuses nothing."""

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return 2.0


def judge(
    defense: Any,
    frame: Picture,
    servers: VirtualServers,
    networks: FamilyNetworks,
    sender: Any = None,
) -> tuple[tuple[Observation, ...], Audit]:
    """Audit the messages of a defense, or of another sender in its name."""
    done = run(sender or defense, frame, servers, networks)
    seen = observe(done.received, servers.operations, networks, frame.shape[:2])
    return seen, audit(seen, frame, defense, networks, done.streamed)


def windows(frame: Picture, edge: Edge) -> dict[int, tuple[tuple[int, int], ...]]:
    return dict(assign("dispersed", edge.grid(W).active(frame.shape[:2]), 3, edge.rng))


def whole_by_the_harness(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].encode_image(frame, W)


def whole_by_an_operation_of_its_own(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].call("opaque", blob=np.ones(3, np.uint8)).result()


def by_an_operation_that_shows_a_corner(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].call("liar", pixels=to_uint8(frame)).result()


def whole_in_rounds(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    """Return the tokens of all windows after a block that mixes them."""
    grid = edge.grid(W)
    for window in grid.active(frame.shape[:2]):
        cloud[0].call(
            "run_blocks",
            arguments={"weights": W, "reply": "float32", "first": "1", "last": "2"},
            tokens=np.zeros((1, 4, 4, 192), np.float32),
            positions=np.array([window], np.int32),
            frame=np.array(frame.shape[:2], np.int32),
        ).result()


def whole_as_a_payload(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].call(
        "encode_image", arguments={"weights": W, "reply": "float32"}, pixels=to_uint8(frame)
    ).result()


def in_low_bits(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    pixels, hidden = to_uint8(frame), to_uint8(frame[::-1].copy())
    cloud.encode_windows(
        from_uint8(((pixels & 0xFE) | (hidden >> 7)).astype(np.uint8)), windows(frame, edge), weights=W
    )


def in_low_bits_of_tokens(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    pixels = to_uint8(frame)
    window = edge.grid(W).active(frame.shape[:2])[0]
    tokens = embed_windows(edge.networks.network(W), pixels)[window][None]
    bits = tokens.view(np.uint32)
    bits[:] = (bits & 0xFFFFFFFE) | (pixels.reshape(-1)[: bits.size].reshape(bits.shape) >> 7)
    cloud[0].call(
        "encode_window_tokens",
        arguments={"weights": W, "reply": "float32"},
        tokens=tokens,
        positions=np.array([window], np.int32),
        frame=np.array(frame.shape[:2], np.int32),
    )


def in_other_tokens(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    other = frame.copy()
    other[7, 11, 1] += np.float32(1 / 255) if other[7, 11, 1] < 0.5 else -np.float32(1 / 255)
    cloud.encode_windows(other, windows(frame, edge), weights=W, payload="tokens32")


def permuted(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    grid = edge.grid(W)
    assignment = windows(frame, edge)
    cloud.encode_windows(np.roll(frame, grid.window * grid.patch, axis=1), assignment, weights=W)


def window_by_window(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    grid = edge.grid(W)
    for window in grid.active(frame.shape[:2]):
        cloud[0].call(
            "encode_windows",
            arguments={"weights": W, "reply": "float32"},
            pixels=cut_tiles(to_uint8(frame), [window], grid),
            positions=np.array([window], np.int32),
            frame=np.array(frame.shape[:2], np.int32),
        )


def told_another_size(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    grid = edge.grid(W)
    cloud[0].call(
        "encode_windows",
        arguments={"weights": W, "reply": "float32"},
        pixels=cut_tiles(to_uint8(frame), [(0, 0)], grid),
        positions=np.array([(0, 0)], np.int32),
        frame=np.array((frame.shape[0] - 17, frame.shape[1]), np.int32),
    )


def raw(frame: Picture, edge: Edge, cloud: Cloud) -> tuple[Any, bytes]:
    """Return a well-formed message with one window of the frame, made without the harness."""
    payload: Payload = {
        "pixels": cut_tiles(to_uint8(frame), [(0, 0)], edge.grid(W)),
        "positions": np.array([(0, 0)], np.int32),
        "frame": np.array(frame.shape[:2], np.int32),
    }
    arguments = {"weights": W, "reply": "float32"}
    call = Call(operation="encode_windows", request=0, sequence=0, arguments=arguments, payload=payload)
    return calls_of(cloud).servers.call(0), encode_call(call)


def in_metadata(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    send, data = raw(frame, edge, cloud)
    send(data, metadata=(("picture-bin", to_uint8(frame)[::8, ::8].tobytes()[:3000]),))


def in_the_user_agent(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    _, data = raw(frame, edge, cloud)
    ours: Any = calls_of(cloud).servers._members[0].channel
    target = ours._channel.target().decode()
    agent = ("grpc.primary_user_agent", to_uint8(frame).tobytes()[:100].hex())
    with grpc.insecure_channel(target, options=[agent]) as channel:
        send: Any = channel.unary_unary(METHOD)
        send(data)


def behind_the_message(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    send, data = raw(frame, edge, cloud)
    send(data + b"\x7a\x64" + to_uint8(frame).tobytes()[:100])


def in_the_method(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    _, data = raw(frame, edge, cloud)
    channel = calls_of(cloud).servers._members[0].channel
    send: Any = channel.unary_unary(f"{METHOD}/{to_uint8(frame).tobytes()[:30].hex()}")
    send(data)


def without_a_way_to_pixels(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].call("opaque", blob=to_uint8(frame).reshape(-1)).result()


def in_misshapen_tokens(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].call("misshapen", blob=np.zeros(8, np.uint8)).result()


def in_the_low_bits_of_floats(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    hidden = frame[::-1] / np.float32(1000)
    cloud[0].call("coarse", pixels=frame + hidden).result()


def beyond_the_frame(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    pixels = np.zeros((320, 320, 3), np.uint8)
    pixels[: frame.shape[0]] = to_uint8(frame)
    cloud[0].call("echo", pixels=pixels).result()


def without_colours(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    cloud[0].call("grey", pixels=to_uint8(frame)).result()


def in_the_frame(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    frame[:8] = 0

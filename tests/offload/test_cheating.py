"""Every defense that sends more than it declares must be detected."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import grpc
import numpy as np
import pytest

from pedbench.adversary.view import build_view, footprints
from pedbench.base import Cloud, Defense, Disclosure, Edge, Embedding
from pedbench.errors import AuditError, DisclosureError, plugin_line
from pedbench.models.sam.family import MINI
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.models.sam.stages import window_grid
from pedbench.offload.operations.observation import Observation, observe
from pedbench.offload.operations.tiles import cut_tiles, embed_windows
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.passes.edge import Edge as PassEdge
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.passes.scatter import window_payloads
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.offload.servers.wiretap import read_messages
from pedbench.offload.wire.messages import METHOD, Call, encode_call
from pedbench.pictures.frame import from_uint8, to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.full_offload import FullOffload
from pedbench.plugins.defenses.gaussian_blur import GaussianBlur
from pedbench.plugins.defenses.on_device import OnDevice
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.plugins.defenses.pixelate import Pixelate
from pedbench.plugins.defenses.random_payload import RandomPayload
from pedbench.privacy.disclosure_audit import Audit, audit, same_messages
from pedbench.privacy.token_audit import TokenAudit
from pedbench.privacy.visibility import visible_mask
from pedbench.scenes.render import render
from pedbench.types import Payload, Picture, Prior, Received

W = "reordered"
PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


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


def view_of(seen: Any, servers: tuple[int, ...], frame: Picture, defense: Any) -> Any:
    return build_view(
        seen,
        servers,
        frame_size=frame.shape[:2],
        disclosure=defense.disclosure,
        description={},
        prior=PRIOR,
    )


@pytest.mark.parametrize("payload", ["pixels", "tokens16", "tokens32"])
def test_honest_windows_pass(
    frame: Picture, servers: VirtualServers, networks: FamilyNetworks, payload: str
) -> None:
    defense = PedSam(payload=payload, weights=W)
    seen, found = judge(defense, frame, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    covered = footprints(seen, 3, frame.shape[:2])
    assert (covered.sum(axis=0) == 1).all()
    if payload == "pixels":
        for server in range(3):
            view = view_of(seen, (server,), frame, defense)
            assert np.array_equal(visible_mask(view, frame), covered[server])
            assert np.array_equal(view.canvas()[0][covered[server]], frame[covered[server]])
        assert visible_mask(view_of(seen, (0, 1, 2), frame, defense), frame).all()


def test_full_offload_shows_all_and_the_device_nothing(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    seen, found = judge(FullOffload(weights=W), wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    assert visible_mask(view_of(seen, (0,), wide, FullOffload()), wide).all()
    seen, found = judge(OnDevice(weights=W), wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    assert not visible_mask(view_of(seen, (), wide, OnDevice()), wide).any()
    assert not footprints(seen, 3, wide.shape[:2]).any()


@pytest.mark.parametrize("defense", [GaussianBlur(), Pixelate()])
def test_degraded_pictures_are_hidden_but_held(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, defense: Any
) -> None:
    seen, found = judge(defense, wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    view = view_of(seen, (0,), wide, defense)
    assert not view.patches
    assert view.degraded_canvas()[1].all()
    assert not visible_mask(view, wide).any()


def test_a_blur_that_does_nothing_is_visible(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    defense = GaussianBlur(sigma=1e-6)
    seen, _ = judge(defense, wide, servers, networks)
    assert visible_mask(view_of(seen, (0,), wide, defense), wide).all()


def test_noise_discloses_nothing(wide: Picture, servers: VirtualServers, networks: FamilyNetworks) -> None:
    defense = RandomPayload(weights=W)
    defense.prepare("cpu")
    seen, found = judge(defense, wide, servers, networks)
    assert found == Audit(whole_visible=(), invalid=())
    view = view_of(seen, (0, 1, 2), wide, defense)
    assert view.canvas()[1].all()
    assert visible_mask(view, wide).mean() < 1e-3
    first, second = (run(defense, frame, servers, networks).received for frame in (wide, wide[::-1].copy()))
    assert same_messages(first, second) == ""


def test_a_decoy_that_depends_on_the_picture_is_detected(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    first, second = (run(PedSam(weights=W), f, servers, networks).received for f in (wide, wide[::-1].copy()))
    assert "3 of 3 messages differ" in same_messages(first, second)
    # Only server 1's windows are unchanged, so only its messages are.
    grid_seen = observe(first, servers.operations, networks, wide.shape[:2])
    keep = footprints(grid_seen, 3, wide.shape[:2])[1]
    noisy = np.where(keep[..., None], wide, 1 - wide)
    third = run(PedSam(weights=W), noisy, servers, networks).received
    assert same_messages(first, third, servers=[1]) == ""
    assert same_messages(first, third, servers=[0]) != ""


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


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (whole_as_a_payload, "received 100.0% of the frame"),
        (window_by_window, "received 100.0% of the frame"),
        (in_low_bits, "other pixels than the frame's"),
        (permuted, "other pixels than the frame's"),
        (in_low_bits_of_tokens, "low bits"),
        (in_other_tokens, "tokens that are not the frame's"),
        (told_another_size, "was told a frame"),
    ],
)
def test_more_than_declared_is_invalid(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, script: Any, reason: str
) -> None:
    _, found = judge(Cheat(script=script), wide, servers, networks, sender=Unbound(script=script))
    assert reason in " ".join(found.invalid)


@pytest.mark.parametrize(
    "script",
    [
        whole_by_the_harness,
        whole_as_a_payload,
        window_by_window,
        whole_in_rounds,
        whole_by_an_operation_of_its_own,
        by_an_operation_that_shows_a_corner,
    ],
)
def test_more_than_declared_does_not_leave_the_edge(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, script: Any
) -> None:
    with pytest.raises(DisclosureError, match=r"server 0 would get .* the defense may give"):
        run(Cheat(script=script), wide, servers, networks)
    received = read_messages(0, servers.collect()[0], servers.operations)
    seen = footprints(observe(received, servers.operations, networks, wide.shape[:2]), 3, wide.shape[:2])
    grid = window_grid(networks.network(W).image_encoder)
    assert seen[0].mean() <= Cheat(script=script).max_share(wide.shape[:2], grid)


def test_a_wrong_size_is_invalid_for_every_disclosure(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    @dataclass(kw_only=True)
    class Blurry(Cheat):
        disclosure: ClassVar[Disclosure] = "degraded"

    _, found = judge(Blurry(script=told_another_size), wide, servers, networks)
    assert "was told a frame" in " ".join(found.invalid)


@pytest.mark.parametrize("payload", ["tokens16", "tokens32"])
def test_one_level_of_one_pixel_shows_in_trained_tokens(payload: str) -> None:
    trained, scene = FamilyNetworks(family=MINI), render(1, 0, "train").image
    draw = np.random.default_rng(0)
    edge = PassEdge(networks=trained, rng=draw, request=0, clock=Clock())
    for _ in range(5):
        other = scene.copy()
        other[draw.integers(scene.shape[0]), draw.integers(scene.shape[1]), draw.integers(3)] ^= 1
        sent = window_payloads(trained.network(W), other, windows(from_uint8(scene), edge), payload)
        audited = TokenAudit(truth=scene, networks=trained, streamed={(s, s) for s in sent})
        problems = [
            problem
            for server, content in sent.items()
            for problem in audited.differences(tokens_received(server, content), content)
        ]
        assert len(problems) == 1


def tokens_received(server: int, payload: Payload) -> Received:
    return Received(
        server=server,
        operation="encode_window_tokens",
        request=0,
        sequence=server,
        payload=payload,
        arguments={"weights": W, "reply": "float32"},
        unexplained="",
        bytes_in=0,
        bytes_out=0,
        received=0.0,
    )


def test_messages_of_a_silent_defense_are_invalid(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    @dataclass(kw_only=True)
    class Silent(Cheat):
        disclosure: ClassVar[Disclosure] = "nothing"

    _, found = judge(Silent(script=in_low_bits), wide, servers, networks)
    assert "nothing is sent" in found.invalid[0]


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


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (in_metadata, "undeclared metadata 'picture-bin'"),
        (in_the_user_agent, "undeclared metadata 'user-agent'"),
        (behind_the_message, "explain no others"),
        (in_the_method, "a call of '/pedbench.Server/Call/"),
        (without_a_way_to_pixels, "opaque cannot show its payload: its `observe` is missing"),
        (
            in_misshapen_tokens,
            "tokens with values (n, C) and positions (n, 2), found values of shape (1, 2, 8)",
        ),
        (by_an_operation_that_shows_a_corner, "liar carries"),
        (in_the_low_bits_of_floats, "coarse carries"),
        (
            beyond_the_frame,
            "echo cannot be observed: a patch of 320 x 320 pixels at row 0, column 0 reaches beyond the frame of "
            "240 x 320 pixels",
        ),
        (
            without_colours,
            "grey cannot be observed: a patch shows no picture: a picture has shape (H, W, 3), found (240, 320)",
        ),
    ],
)
def test_unexplained_bytes_are_the_whole_frame(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks, script: Any, reason: str
) -> None:
    seen, found = judge(Unbound(script=script), wide, servers, networks)
    assert reason in " ".join(found.whole_visible)
    covered = footprints(seen, 3, wide.shape[:2])
    assert covered[0].all()
    assert not covered[1:].any()


def test_the_edge_says_why_a_message_counts_as_the_whole_frame(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    with pytest.raises(DisclosureError, match="counts as the whole frame: opaque cannot show its payload"):
        run(Cheat(script=without_a_way_to_pixels), wide, servers, networks)


def in_the_frame(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    frame[:8] = 0


def test_the_frame_is_read_only(wide: Picture, servers: VirtualServers, networks: FamilyNetworks) -> None:
    with pytest.raises(ValueError, match="read-only") as caught:
        judge(Unbound(script=in_the_frame), wide, servers, networks)
    assert ": change a copy, `array.copy()` (test_cheating.py:" in plugin_line(caught.value)
    assert wide[:8].any()


def test_a_message_that_bypasses_the_ledger_is_detected(
    wide: Picture, servers: VirtualServers, networks: FamilyNetworks
) -> None:
    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        send, data = raw(frame, edge, cloud)
        send(data)

    with pytest.raises(AuditError, match="nothing of it"):
        run(Cheat(script=script), wide, servers, networks)

"""Passes with codecs: their embeddings, what servers see, and content that counts as unexplained."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from pedbench.adversary.prior import load_prior
from pedbench.adversary.view import build_view
from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.models.sam.networks import FamilyNetworks
from pedbench.offload.operations.observation import observe
from pedbench.offload.operations.tiles import cut_tiles
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.passes.run_pass import Pass, run_pass
from pedbench.offload.servers.virtual import VirtualServers
from pedbench.pictures.frame import to_uint8
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.privacy.disclosure_audit import Audit, audit
from pedbench.privacy.visibility import visible_mask
from pedbench.types import Payload, Picture, View

W = "reordered"
Judge = Callable[..., tuple[Pass, View, Audit]]


@pytest.fixture
def smooth() -> Picture:
    """Return a picture of waves, which codecs compress well; the frame's border cuts the last windows."""
    rows, columns = np.mgrid[:240, :320]
    levels = 128 + 90 * np.sin(rows / 17)[..., None] * np.cos(columns / 23)[..., None] + np.array([9, 0, -9])
    picture: Picture = np.rint(levels).astype(np.float32) / np.float32(255)
    return picture


@pytest.fixture
def judge(servers: VirtualServers, networks: FamilyNetworks) -> Judge:
    def run(defense: Defense, frame: Picture, truth: Picture | None = None) -> tuple[Pass, View, Audit]:
        truth = frame if truth is None else truth
        size = (frame.shape[0], frame.shape[1])
        done = run_pass(defense, frame, servers, networks, np.random.default_rng(0))
        seen = observe(done.received, servers.operations, networks, size)
        view = build_view(
            seen,
            range(3),
            frame_size=size,
            disclosure=defense.disclosure,
            description={},
            prior=load_prior(),
        )
        return done, view, audit(seen, truth, defense, networks, done.streamed)

    return run


def ends(done: Pass) -> tuple[int, int]:
    return sum(e.bytes_up for e in done.exchanges), sum(e.bytes_down for e in done.exchanges)


def test_png_is_the_same_pass_in_fewer_bytes(judge: Judge, smooth: Picture) -> None:
    plain, _, _ = judge(PedSam(weights=W), smooth)
    done, view, found = judge(PedSam(weights=W, payload="png"), smooth)
    assert done.embedding.features.equal(plain.embedding.features)
    assert not found.invalid
    assert not found.whole_visible
    assert visible_mask(view, smooth).all()
    assert not view.degraded
    assert ends(done)[0] < ends(plain)[0] / 2
    assert ends(done)[1] == ends(plain)[1]


def test_what_jpeg_leaves_is_degraded_and_hidden(judge: Judge, smooth: Picture) -> None:
    plain, _, _ = judge(PedSam(weights=W), smooth)
    done, view, found = judge(PedSam(weights=W, payload="jpeg(quality=30)"), smooth)
    assert not found.invalid
    assert not found.whole_visible
    assert not view.patches
    assert not visible_mask(view, smooth).any()
    canvas, covered = view.degraded_canvas()
    assert covered.all()
    assert 0.5 / 255 < np.abs(canvas - smooth).mean() < 5 / 255
    # Pillow must give the same for each window; windows at the border repeat the last row of the frame.
    for message in done.received:
        assert message.payload is not None
        windows = [tuple(place) for place in message.payload["positions"].tolist()]
        stack = np.zeros((len(windows), 64, 64, 3), np.uint8)
        for tile, (row, column) in zip(stack, windows, strict=True):
            part = to_uint8(smooth)[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
            tile[: len(part)] = part
            tile[len(part) :] = part[-1]
        stream = io.BytesIO()
        Image.fromarray(stack.reshape(-1, 64, 3)).save(stream, "JPEG", quality=30, subsampling="4:2:0")
        left = np.asarray(Image.open(stream)).reshape(stack.shape)
        for tile, (row, column) in zip(left, windows, strict=True):
            height = min(64, 240 - row * 64)
            shown = canvas[row * 64 : row * 64 + height, column * 64 : column * 64 + 64]
            assert np.array_equal(np.rint(shown * 255), tile[:height])
    assert ends(done)[0] < ends(plain)[0] / 8
    error = (done.embedding.features - plain.embedding.features).abs().max()
    assert 0 < error < plain.embedding.features.abs().max()


@pytest.mark.parametrize(
    ("reply", "share", "tolerance"),
    [("bfloat16", 0.5, 0.02), ("quantised", 0.27, 0.03), ("quantised(bits=6)", 0.21, 0.12)],
)
def test_coded_replies_are_shorter_and_nearly_the_same(
    judge: Judge, smooth: Picture, reply: str, share: float, tolerance: float
) -> None:
    plain, _, _ = judge(PedSam(weights=W), smooth)
    done, view, found = judge(PedSam(weights=W, reply=reply), smooth)
    assert not found.invalid
    assert visible_mask(view, smooth).all()
    assert ends(done)[1] < share * ends(plain)[1] + 1000
    error = (done.embedding.features - plain.embedding.features).abs()
    assert 0 < error.mean() < tolerance * plain.embedding.features.abs().mean()


def test_a_different_picture_in_a_codec_is_detected(judge: Judge, smooth: Picture) -> None:
    other = smooth.copy()
    other[100:120, 100:120] = 0
    _, _, found = judge(PedSam(weights=W, payload="webp"), other, smooth)
    assert any("what its codec leaves" in problem for problem in found.invalid)


def test_arrays_that_a_plugin_encodes_with_a_codec_count_as_the_whole_frame(
    smooth: Picture, networks: FamilyNetworks, servers: VirtualServers
) -> None:
    @dataclass(kw_only=True)
    class Smuggler(Defense):
        name = "smuggler"
        version = 1
        disclosure = "exact"

        def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
            grid = edge.grid(W)
            payload: Payload = {
                "pixels": cut_tiles(to_uint8(frame), [(0, 0)], grid),
                "positions": np.zeros((1, 2), np.int32),
                "frame": np.array(frame.shape[:2], np.int32),
            }
            arguments = {"weights": W, "reply": "float32"}
            calls_of(cloud).send({0: payload}, "encode_windows", arguments, codecs={"pixels": "jpeg"})[
                0
            ].result()
            return edge.encode_image(frame, W)

    done = run_pass(Smuggler(), smooth, servers, networks, np.random.default_rng(0))
    (message,) = done.received
    assert "not by the harness" in message.unexplained
    (seen,) = observe(done.received, servers.operations, networks, (240, 320))
    assert seen.problem

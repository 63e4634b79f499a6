"""The positive control: the same result as the undefended model, and tokens that say more than pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from pedbench.adversary.view import build_view, footprints
from pedbench.base import Cloud, Defense, Disclosure, Edge, Embedding
from pedbench.errors import DisclosureError
from pedbench.offload.passes.assignment import assign
from pedbench.offload.passes.calls import calls_of
from pedbench.offload.passes.interleave import encode_interleaved
from pedbench.offload.passes.split import encode_split
from pedbench.pictures.windows import WindowGrid
from pedbench.plugins.defenses.interleaved_offload import InterleavedOffload
from pedbench.plugins.defenses.ped_sam import PedSam
from pedbench.privacy.disclosure_audit import Audit
from pedbench.privacy.visibility import visible_mask
from pedbench.types import Picture, Prior

PRIOR = Prior(mean_colour=np.zeros(3, np.float32), pictures=())


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (0.75, 1), (1, 0.4)], ids=["square", "4:3", "tall"])
def test_the_whole_encoder_in_its_own_block_order(setting: Any, size: tuple[float, float]) -> None:
    frame = setting.picture(*size)
    done, seen, found = setting.judge(InterleavedOffload(), frame)
    *_, expected = setting.states(frame)
    assert (done.embedding.features - expected).abs().max() < 1e-4
    assert found == Audit(whole_visible=(), invalid=())
    assert done.embedding.network is setting.networks.network("original")
    assert [held.message.operation for held in seen if held.message.server == 0] == [
        "start_windows",
        "run_blocks",
    ]


@pytest.mark.slow
def test_half_precision_is_near_and_passes_the_audit(setting: Any) -> None:
    frame = setting.picture()
    done, _, found = setting.judge(InterleavedOffload(dtype="float16"), frame)
    *_, expected = setting.states(frame)
    assert 0 < (done.embedding.features - expected).abs().max() < 2e-2
    assert found == Audit(whole_visible=(), invalid=())


def test_a_network_in_ped_order_needs_one_round(mini: Any) -> None:
    frame = mini.picture()
    done = mini.run(InterleavedOffload(weights="reordered"), frame)
    expected = mini.run(PedSam(weights="reordered"), frame)
    assert len(done.exchanges) == len(expected.exchanges) == 3
    assert (done.embedding.features - expected.embedding.features).abs().max() < 1e-5


@pytest.mark.slow
def test_servers_hold_their_windows_and_the_mixed_tokens_of_those(setting: Any) -> None:
    frame = setting.picture(0.75, 1)
    size = frame.shape[:2]
    patch = setting.networks.network("original").image_encoder.patch_embed.proj.stride[0]
    states = setting.states(frame)
    _, seen, _ = setting.judge(InterleavedOffload(), frame)
    _, plain, _ = setting.judge(PedSam(weights="reordered"), frame)
    places = []
    for server in range(3):
        view, other = (
            build_view(held, (server,), frame_size=size, disclosure="exact", description={}, prior=PRIOR)
            for held in (seen, plain)
        )
        # The same pixels as under ped_sam, and tokens of the same places.
        assert np.array_equal(visible_mask(view, frame), visible_mask(other, frame))
        (tokens,) = view.tokens
        expected = states[tokens.depth][0].numpy()[tuple(tokens.positions.T)]
        assert np.abs(tokens.values - expected).max() < 1e-4
        rows, columns = (tokens.positions * patch).T
        inside = (rows < size[0]) & (columns < size[1])
        assert view.canvas()[1][rows[inside], columns[inside]].all()
        places += [tuple(place) for place in tokens.positions.tolist()]
    assert np.array_equal(footprints(seen, 3, size), footprints(plain, 3, size))
    assert len(set(places)) == len(places)


def test_tokens_depend_on_pixels_that_a_server_never_had(mini: Any) -> None:
    frame = mini.picture()
    _, seen, _ = mini.judge(InterleavedOffload(), frame)
    kept = footprints(seen, 3, frame.shape[:2])[1]
    _, other, _ = mini.judge(InterleavedOffload(), np.where(kept[..., None], frame, 1 - frame))
    one, two = ([held.message for held in part if held.message.server == 1] for part in (seen, other))
    assert np.array_equal(one[0].payload["pixels"], two[0].payload["pixels"])
    assert np.abs(one[1].payload["tokens"] - two[1].payload["tokens"]).max() > 1e-2


@dataclass(kw_only=True)
class Cheat(Defense):
    """Claims to be interleaved_offload, and does what a test wants."""

    name = "cheat"
    version = 1
    disclosure: ClassVar[Disclosure] = "exact"
    script: Callable[[Picture, Edge, Cloud], Any]
    servers: int = 3

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return float(InterleavedOffload().max_share(frame, grid))

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        self.script(frame, edge, cloud)
        return edge.encode_image(frame)


def deal(frame: Picture, edge: Edge, policy: str = "dispersed") -> Any:
    return assign(policy, edge.grid("original").active(frame.shape[:2]), 3, edge.rng)


def own_tokens(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    """One window's true tokens, but not by the harness."""
    encoder = edge.networks.network("original").image_encoder
    side = encoder.blocks[0].window_size
    cloud[0].call(
        "run_blocks",
        arguments={"weights": "original", "reply": "float32", "first": "4", "last": "7"},
        tokens=np.ones((1, side, side, encoder.pos_embed.shape[3]), np.float32),
        positions=np.array([(0, 0)], np.int32),
        frame=np.array(frame.shape[:2], np.int32),
    )


def unbind(cloud: Cloud) -> None:
    """The ledger is the first to object; behind its back, the audit does."""
    calls_of(cloud)._ledger.max_share = 2.0


def own_grid(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    unbind(cloud)
    encoder = edge.networks.network("original").image_encoder
    cloud[0].call(
        "finish_blocks",
        arguments={"weights": "original", "reply": "float32", "first": "2"},
        tokens=encoder.pos_embed[0].numpy(),
        frame=np.array(frame.shape[:2], np.int32),
    )


def another_picture(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    other = frame.copy()
    other[7, 11, 1] += np.float32(1 / 255) if other[7, 11, 1] < 0.5 else -np.float32(1 / 255)
    encode_interleaved(cloud, other, deal(frame, edge))


def another_deal(frame: Picture, edge: Edge, cloud: Cloud) -> None:
    unbind(cloud)
    encode_interleaved(cloud, frame, deal(frame, edge))
    encode_interleaved(cloud, frame, deal(frame, edge, "contiguous"))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (own_tokens, "run_blocks that the harness did not make"),
        (own_tokens, "tokens that are not the frame's"),
        (own_grid, "finish_blocks that the harness did not make"),
        (own_grid, "received 100.0% of the frame"),
        (another_picture, "other pixels than the frame's"),
        (another_deal, "of the frame, declared is at most"),
    ],
)
def test_more_than_declared_is_invalid(mini: Any, script: Any, reason: str) -> None:
    _, _, found = mini.judge(Cheat(script=script), mini.picture())
    assert reason in " ".join(found.invalid)


def test_the_ledger_counts_windows_and_grids(mini: Any) -> None:
    def twice(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        encode_interleaved(cloud, frame, deal(frame, edge))
        encode_interleaved(cloud, frame, deal(frame, edge))

    def whole(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        encode_split(cloud, frame, 2)

    for script in (twice, whole):
        with pytest.raises(DisclosureError):
            mini.run(Cheat(script=script), mini.picture())


def test_a_network_that_begins_with_a_global_block_is_refused(mini: Any) -> None:
    blocks = mini.networks.network("original").image_encoder.blocks

    def script(frame: Picture, edge: Edge, cloud: Cloud) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks[0], "window_size", 0)
            encode_interleaved(cloud, frame, deal(frame, edge))

    with pytest.raises(ValueError, match="does not begin with a window block"):
        mini.run(Cheat(script=script), mini.picture())


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        InterleavedOffload(servers=0)
    with pytest.raises(ValueError, match="bfloat16"):
        InterleavedOffload(dtype="bfloat16")
    with pytest.raises(ValueError, match="scattered"):
        InterleavedOffload(assignment="scattered")

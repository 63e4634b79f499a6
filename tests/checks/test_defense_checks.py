"""A defense that says other than it does is told so by the checks that run without any data."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.checks.defenses import check_defense
from pedbench.offload.operations.tiles import embed_windows
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.types import Picture


@dataclass(kw_only=True)
class Chatty(Defense):
    """Sends tokens of its own making, or more than it declares."""

    name = "chatty"
    version = 1
    disclosure = "exact"
    networks = ("original", "reordered")
    tokens: bool

    def max_share(self, frame: tuple[int, int], grid: WindowGrid) -> float:
        return 1.0 if self.tokens else 0.5

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        if self.tokens:
            tokens = embed_windows(edge.networks.network("reordered"), to_uint8(frame))
            cloud[0].call(
                "encode_window_tokens",
                arguments={"weights": "reordered", "reply": "float32"},
                tokens=np.stack([*tokens.values()]),
                positions=np.array([*tokens], np.int32),
                frame=np.array(frame.shape[:2], np.int32),
            )
        else:
            arguments = {"weights": "original", "reply": "float32"}
            cloud[0].call("encode_image", arguments=arguments, pixels=to_uint8(frame))
        return edge.encode_image(frame)


def test_promises_are_checked_as_in_a_run() -> None:
    tokens, whole = (
        {outcome.rule: outcome.problem for outcome in check_defense(Chatty(tokens=tokens)) if outcome.problem}
        for tokens in (True, False)
    )
    assert list(tokens) == ["disclosure: exact"]
    assert "tokens by encode_window_tokens that the harness did not make" in tokens["disclosure: exact"]
    # The edge lets nothing leave.
    assert "would get 100.0% of the frame, the defense may give 50.0%" in whole["disclosure: exact"]


@dataclass(kw_only=True)
class Careless(Defense):
    """Runs a network that it does not name, or keeps something of the picture before."""

    name = "careless"
    version = 1
    disclosure = "degraded"
    how: str
    _seen: list[Picture] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def networks(self) -> tuple[str, ...]:
        return ("fine-tuned",) if self.how == "elsewhere" else ("original",)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        sent: Picture = 1 - frame
        if self.how == "keeps" and self._seen and self._seen[-1].shape == frame.shape:
            sent = (sent + 1 - self._seen[-1]) / np.float32(2)
        self._seen.append(frame)
        if self.how == "edge":
            edge.encode_image(frame, "small")
        return cloud[0].encode_image(sent)


@pytest.mark.parametrize(
    ("how", "rule", "reason"),
    [
        (
            "elsewhere",
            "declared networks",
            "runs the network 'original', and its `networks` are ['fine-tuned']",
        ),
        ("edge", "declared networks", "runs the network 'small', and its `networks` are ['original']"),
        ("keeps", "the same twice", "gave two different messages"),
    ],
)
def test_undeclared_networks_and_memories_are_found(how: str, rule: str, reason: str) -> None:
    broken = {each.rule: each.problem for each in check_defense(Careless(how=how)) if each.problem}
    assert list(broken) == [rule]
    assert reason in broken[rule]

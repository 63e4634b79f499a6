"""The checks of defenses, which need no data, detect a defense that does not do what it declares."""

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
    """Sends tokens that it made itself, or a larger share of the frame than it declares."""

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


def test_declarations_are_checked_as_in_a_run() -> None:
    tokens, whole = (
        {outcome.rule: outcome.problem for outcome in check_defense(Chatty(tokens=tokens)) if outcome.problem}
        for tokens in (True, False)
    )
    assert list(tokens) == ["disclosure: exact"]
    assert "tokens by encode_window_tokens that the harness did not make" in tokens["disclosure: exact"]
    # The edge refuses to send.
    assert "would get 100.0% of the frame, the defense may give 50.0%" in whole["disclosure: exact"]


@dataclass(kw_only=True)
class Careless(Defense):
    """Runs a network that it does not declare, or remembers the previous picture."""

    name = "careless"
    version = 1
    disclosure = "degraded"
    fault: str
    _seen: list[Picture] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def networks(self) -> tuple[str, ...]:
        return ("fine-tuned",) if self.fault == "elsewhere" else ("original",)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        sent: Picture = 1 - frame
        if self.fault == "keeps" and self._seen and self._seen[-1].shape == frame.shape:
            sent = (sent + 1 - self._seen[-1]) / np.float32(2)
        self._seen.append(frame)
        if self.fault == "edge":
            edge.encode_image(frame, "small")
        return cloud[0].encode_image(sent)


@pytest.mark.parametrize(
    ("fault", "rule", "reason"),
    [
        (
            "elsewhere",
            "declared networks",
            "runs the network 'original', but its `networks` are ['fine-tuned']",
        ),
        ("edge", "declared networks", "runs the network 'small', but its `networks` are ['original']"),
        ("keeps", "messages and embeddings are deterministic", "gave two different messages"),
    ],
)
def test_undeclared_networks_and_memories_are_found(fault: str, rule: str, reason: str) -> None:
    broken = {each.rule: each.problem for each in check_defense(Careless(fault=fault)) if each.problem}
    assert list(broken) == [rule]
    assert reason in broken[rule]

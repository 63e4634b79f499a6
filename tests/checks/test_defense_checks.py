"""The checks of defenses, which need no data, detect a defense that does not do what it declares."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pedbench.base import Cloud, Defense, Edge, Embedding
from pedbench.checks import broken_rules
from pedbench.checks.defenses import check_defense
from pedbench.offload.operations.tiles import embed_windows
from pedbench.pictures.frame import to_uint8
from pedbench.pictures.windows import WindowGrid
from pedbench.registry import Origin
from pedbench.types import Picture

ORIGIN = Origin("path", __file__)


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


@pytest.mark.slow
def test_declarations_are_checked_as_in_a_run() -> None:
    tokens, whole = (
        {
            outcome.rule: outcome.problem
            for outcome in check_defense(Chatty(tokens=tokens), ORIGIN)
            if outcome.problem
        }
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


@pytest.mark.slow
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
    broken = {
        each.rule: each.problem for each in check_defense(Careless(fault=fault), ORIGIN) if each.problem
    }
    assert list(broken) == [rule]
    assert reason in broken[rule]


SMALL = """
import numpy as np
from pedbench.base import Field, Operation
from pedbench.pictures.frame import from_uint8
from pedbench.types import Patch


class Small(Operation):
    name = "small"
    request = {"pixels": Field(dtypes=("uint8",), shape=("h", "w", 3))}
    reply = request

    def run(self, payload, arguments, networks):
        return payload

    def observe(self, payload, arguments, networks, server, request):
        return [Patch(picture=from_uint8(payload["pixels"]), top=0, left=0, server=server, request=request)]
"""


@dataclass(kw_only=True)
class Shrinking(Defense):
    """Sends every fourth pixel, which its operation shows in a corner without enlarging them."""

    name = "shrinking"
    version = 1
    disclosure = "degraded"
    networks = ("original",)

    def embed(self, frame: Picture, edge: Edge, cloud: Cloud) -> Embedding:
        cloud[0].call("small", pixels=to_uint8(frame)[::4, ::4]).result()
        return edge.encode_image(frame)


@pytest.mark.slow
def test_a_picture_that_is_shown_elsewhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "small_operations.py").write_text(SMALL)
    monkeypatch.setattr("pedbench.checks.defenses.operation_modules", lambda *_: {"small_operations"})
    broken = {each.rule: each.problem for each in check_defense(Shrinking(), ORIGIN) if each.problem}
    assert list(broken) == ["own operations show what they carry"]
    (problem,) = broken.values()
    assert problem.startswith("small: what it shows of two pictures differs as they do by a correlation of")
    assert problem.endswith("only: show the payload's 8-bit levels at their place in the frame")


OPERATION = """
from pedbench.base import Field, Operation


class Sum(Operation):
    name = "sum"
    request = {"values": Field(dtypes=("float32",), shape=("n",))}
    reply = {"total": Field(dtypes=("float32",), shape=())}

    def run(self, payload, arguments, networks):
        return {"total": payload["values"].sum()}

    def observe(self, payload, arguments, networks, server, request):
        return []
"""

DEFENSE = """
from dataclasses import dataclass

import numpy as np

from pedbench.base import Defense
{operations}


@dataclass(kw_only=True)
class Summing(Defense):
    name = "summing"
    version = 1
    disclosure = "decoy"
    weights: str = "original"

    def embed(self, frame, edge, cloud):
        reply = cloud[0].call("sum", values=np.arange(3, dtype=np.float32)).result()
        assert reply["total"] == 3
        return edge.encode_image(frame, self.weights)
"""


@pytest.mark.slow
def test_servers_of_a_check_load_its_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "summing_operations.py").write_text(OPERATION)
    file = tmp_path / "summing.py"
    file.write_text(DEFENSE.format(operations="from summing_operations import Sum"))
    assert broken_rules(file) == []
    file.write_text(DEFENSE.format(operations=OPERATION))
    (broken,) = broken_rules(file)
    assert "have to lie in an importable module. Move the file to `defenses/` of the checkout" in broken

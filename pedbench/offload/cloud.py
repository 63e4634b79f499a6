"""The servers that a defense may call, for the length of one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch

from pedbench.base import Embedding, Networks
from pedbench.offload.coding import codec_for
from pedbench.offload.payloads import reply_form
from pedbench.offload.pending import Pending
from pedbench.offload.scatter import gather_windows, payload_form, pixels_per_server, window_payloads
from pedbench.offload.servers import Servers
from pedbench.offload.tiles import embed_tiles, stages, to_bytes
from pedbench.offload.timing import Clock
from pedbench.offload.transport import Transport
from pedbench.offload.wire import Call, check_call, encode_call
from pedbench.types import Assignment, Exchange, Payload, Picture, Window


class DisclosureError(ValueError):
    """An attempt to give a server more of the frame than the defense may."""


class ServerHandle:
    """One server of a cloud."""

    def __init__(self, cloud: Cloud, index: int) -> None:
        self._cloud = cloud
        self._index = index

    def call(
        self, operation: str, *, arguments: Mapping[str, str] | None = None, **tensors: npt.NDArray[Any]
    ) -> Pending:
        """Send a payload; the reply is waited for with `result()`.

        Args:
            operation: Name of the operation.
            arguments: All its declared string arguments.
            tensors: All its declared arrays.

        Raises:
            WireError: The call is not what the operation declares.
        """
        return self._cloud.send({self._index: tensors}, operation, arguments or {})[self._index]

    def encode_image(
        self,
        frame: Picture,
        weights: str = "original",
        reply: str = "float32",
        payload: str = "pixels",
    ) -> Embedding:
        """Let the server run the whole image encoder.

        Args:
            frame: (H, W, 3) in [0, 1]; rounded to 8 bits.
            weights: Which network.
            reply: How the embedding comes back, `float32`, `float16` or a codec for these.
            payload: How the frame travels, `pixels` as they are or a codec for them.
        """
        network = self._cloud.networks.network(weights)
        dtype, written = reply_form(reply)
        picture = codec_for("uint8", payload).label if payload != "pixels" else ""
        with self._cloud.clock.preparing():
            pixels = to_bytes(frame)
            self._cloud.give({self._index: pixels[..., 0].size})
        pending = self._cloud.send(
            {self._index: {"pixels": pixels}},
            "encode_image",
            {"weights": weights, "reply": dtype},
            codecs={"pixels": picture} if picture else {},
            reply=written,
        )[self._index]
        if picture:
            self._cloud.streamed.add((self._index, pending.sequence))
        features = torch.tensor(pending.result()["features"], device=network.device)
        return Embedding(features=features.float(), network=network)


class Cloud:
    """The servers of one pass over one frame.

    Args:
        servers: The processes; the first `count` are used.
        count: How many servers the defense calls.
        networks: The edge's models.
        frame_size: Height and width of the frame.
        max_share: Largest share of the frame's pixels that one server may get.
        request: Which of the k requests of the scene this is.
        clock: The pass's clock.
        transport: The link to the servers.
        deadline: Seconds until a reply must be here.

    Attributes:
        streamed: Server and sequence of the messages whose bytes were made here, not by the defense: tokens, and
            what codecs wrote.
    """

    def __init__(
        self,
        servers: Servers,
        *,
        count: int,
        networks: Networks,
        frame_size: tuple[int, int],
        max_share: float,
        request: int,
        clock: Clock,
        transport: Transport,
        deadline: float = 120.0,
    ) -> None:
        if count > len(servers):
            raise ValueError(f"the defense calls {count} servers, but {len(servers)} were started")
        self.servers = servers
        self.networks = networks
        self.clock = clock
        self._transport = transport
        self._deadline = deadline
        self.streamed: set[tuple[int, int]] = set()
        self._handles = [ServerHandle(self, index) for index in range(count)]
        self._frame_size = frame_size
        self._max_share = max_share
        self._request = request
        self._given: Counter[int] = Counter()
        self._rounds: list[list[Pending]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._handles)

    def __getitem__(self, index: int) -> ServerHandle:
        return self._handles[index]

    @property
    def rounds(self) -> tuple[tuple[Exchange, ...], ...]:
        """The exchanges of every round, once `settle` was called."""
        return tuple(tuple(p.exchange for p in pending if p.exchange) for pending in self._rounds)

    def settle(self) -> None:
        """Read the replies that nobody asked for, so that every message is accounted for."""
        for pending in (pending for pendings in self._rounds for pending in pendings):
            if pending.exchange is None:
                pending.result()

    def abandon(self) -> None:
        """Wait until nothing is under way any more, whatever came of it."""
        for pending in (pending for pendings in self._rounds for pending in pendings):
            pending.wait()

    def send(
        self,
        payloads: Mapping[int, Payload],
        operation: str,
        arguments: Mapping[str, str],
        *,
        codecs: Mapping[str, str] | None = None,
        reply: str = "",
    ) -> dict[int, Pending]:
        """Send one payload to each of several servers at once.

        Args:
            payloads: By server.
            operation: Name of the operation.
            arguments: All its declared string arguments.
            codecs: Labels of codecs by array. The harness has to make such payloads: messages that are not in
                `streamed` count as unexplained if a codec wrote any of their arrays.
            reply: Label of the codec for the reply's arrays.

        Raises:
            WireError: A call is not what the operation declares.
            ValueError: Unknown operation.
        """
        known = self.servers.operations
        if operation not in known:
            raise ValueError(f"unknown operation {operation!r}; known: {', '.join(known)}")
        if any(not 0 <= server < len(self) for server in payloads):
            raise ValueError(f"servers are 0..{len(self) - 1}, found {sorted(payloads)}")
        declared = known[operation]
        calls = []
        with self.clock.preparing():
            for server, payload in payloads.items():
                # The order is part of the schema; what is not declared stays, and is refused.
                ordered = {
                    name: payload[name] for name in sorted(payload, key=[*declared.request, *payload].index)
                }
                call = Call(
                    operation=operation,
                    request=self._request,
                    sequence=self._sequence,
                    arguments=arguments,
                    payload=ordered,
                    codecs=codecs or {},
                    reply=reply,
                )
                check_call(call, declared)
                self._sequence += 1
                calls.append((server, call, encode_call(call)))
        # What is sent after a reply was waited for may depend on it.
        if calls and (not self._rounds or any(pending.asked for pending in self._rounds[-1])):
            self._rounds.append([])
        sent = {}
        for server, call, data in calls:
            sent[server] = Pending(
                self.servers, self._transport, server, call, declared, data, self._deadline
            )
            self._rounds[-1].append(sent[server])
            if self.servers.turns:
                sent[server].wait()
        return sent

    def give(self, pixels: Mapping[int, int]) -> None:
        """Note that servers are about to get so many more pixels.

        Raises:
            DisclosureError: One would then have more than the defense may give.
        """
        height, width = self._frame_size
        given = self._given + Counter(pixels)
        for server, count in given.items():
            if count > self._max_share * height * width + 0.5:
                raise DisclosureError(
                    f"server {server} would get {count / (height * width):.1%} of the frame, "
                    f"the defense may give {self._max_share:.1%}; nothing was sent"
                )
        self._given = given

    def encode_windows(
        self,
        frame: Picture,
        assignment: Assignment,
        *,
        home: Sequence[Window] = (),
        weights: str = "fine-tuned",
        payload: str = "pixels",
        reply: str = "float32",
    ) -> torch.Tensor:
        """Run the window stage on the servers: send every server its windows at once, gather the tokens.

        Windows that hold nothing of the frame are the same for every picture; the edge knows them itself.

        Args:
            frame: (H, W, 3) in [0, 1]; rounded to 8 bits.
            assignment: Per server its windows. With those at home they must hold the frame; a server without
                windows gets no message.
            home: Windows that no server gets: the edge runs the window stage on them, while servers compute.
            weights: Which network; its window blocks must come first.
            payload: `pixels` (uint8) or a codec for them, or tokens after the patch embedding as `tokens16` or
                `tokens32`.
            reply: How tokens come back, `float32`, `float16` or a codec for these.

        Returns:
            (1, h, w, C) tokens, as the global stage takes them.

        Raises:
            DisclosureError: A server would get more of the frame than the defense may give; nothing was sent.
            ValueError: The assignment does not fit the frame or the cloud.
            ServerLost: A server does not answer.
        """
        content, picture = payload_form(payload)
        dtype, written = reply_form(reply)
        if frame.shape[:2] != self._frame_size:
            raise ValueError(
                f"this pass is over a frame of {self._frame_size} pixels, found {frame.shape[:2]}"
            )
        network = self.networks.network(weights)
        stage = stages(network)[0]
        with self.clock.preparing():
            pixels = to_bytes(frame)
            self.give(pixels_per_server(assignment, self._frame_size, stage.grid, home))
            payloads = window_payloads(network, pixels, assignment, content)
        pendings = self.send(
            payloads,
            "encode_windows" if content == "pixels" else "encode_window_tokens",
            {"weights": weights, "reply": dtype},
            codecs={"pixels": picture} if picture else {},
            reply=written,
        )
        self.streamed.update((server, pending.sequence) for server, pending in pendings.items())
        crops = [pixels[stage.grid.tile(window, self._frame_size).slices] for window in home]
        kept = dict(zip(home, stage(embed_tiles(network, crops), home), strict=True)) if home else {}
        order = {server: tuple(sorted(windows)) for server, windows in assignment.items()}
        gathered = gather_windows(pendings, order, network.device)
        return stage.assemble({**kept, **gathered}, self._frame_size)

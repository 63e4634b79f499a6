"""The servers that a defense may call, for the length of one pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Literal

import torch

from pedbench.base import Networks
from pedbench.network.emulated_link import Transport
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import SpotChecks
from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.disclosure_ledger import Ledger
from pedbench.offload.passes.server_handle import ServerHandle
from pedbench.offload.passes.stream_windows import stream_windows
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.wiretap import Tapped
from pedbench.offload.wire.messages import Call, check_call, encode_call
from pedbench.types import Assignment, Exchange, Payload, Picture, Window

OnLost = Literal["fail", "edge"]
"""What becomes of windows whose tokens do not come back: the pass fails, or the edge computes them itself."""

DEADLINE = 120.0
"""Seconds that a call may take, unless told otherwise."""


class Cloud:
    """The servers of one pass over one frame.

    Args:
        servers: The processes; the first `count` are used.
        count: How many servers the defense calls.
        networks: The edge's models.
        ledger: Of what each server gets of the frame; nothing leaves that it does not admit.
        request: Which of the k requests of the scene this is.
        clock: The pass's clock.
        transport: The link to the servers.
        deadline: Seconds until a reply must be here.
        on_lost: What becomes of windows whose tokens do not come back.
        spot_checks: Windows that the edge computes, too; none without them.
        lies: What some servers return in the place of tokens; all are as they are without it.

    Attributes:
        streamed: Server and sequence of the messages whose bytes were made here, not by the defense: tokens, and
            what codecs wrote.
        lost: Why a server was given up, by its index.
    """

    def __init__(
        self,
        servers: Servers,
        *,
        count: int,
        networks: Networks,
        ledger: Ledger,
        request: int,
        clock: Clock,
        transport: Transport,
        deadline: float = DEADLINE,
        on_lost: OnLost = "fail",
        spot_checks: SpotChecks | None = None,
        lies: Lies | None = None,
    ) -> None:
        if count > len(servers):
            raise ValueError(f"the defense calls {count} servers, but {len(servers)} were started")
        self.servers = servers
        self.networks = networks
        self.clock = clock
        self._transport = transport
        self._deadline = deadline
        self._on_lost = on_lost
        self.spot_checks = spot_checks or SpotChecks()
        self.lies = lies
        self.streamed: set[tuple[int, int]] = set()
        self.lost: dict[int, str] = {}
        self._handles = [ServerHandle(self, index) for index in range(count)]
        self._ledger = ledger
        self._request = request
        self._rounds: list[list[Pending]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._handles)

    def __getitem__(self, index: int) -> ServerHandle:
        return self._handles[index]

    @property
    def rounds(self) -> tuple[tuple[Exchange, ...], ...]:
        """The exchanges of every round, once `settle` was called."""
        rounds = (tuple(p.exchange for p in pending if p.exchange) for pending in self._rounds)
        return tuple(exchanges for exchanges in rounds if exchanges)

    def settle(self) -> None:
        """Read the replies that nobody asked for, so that every message is accounted for."""
        for pending in self.sent():
            if pending.exchange is None and pending.server not in self.lost:
                pending.result()

    def abandon(self) -> None:
        """Wait until nothing is under way any more, whatever came of it."""
        for pending in self.sent():
            pending.wait()

    def lose(self, server: int, error: Exception) -> None:
        """Give a server up whose reply is late, missing or of no use; what was sent to it stays sent.

        Raises:
            Exception: `error`, where lost windows fail the pass.
        """
        if self._on_lost == "fail":
            raise error
        self.lost.setdefault(server, str(error))

    def sent_to(self, server: int) -> list[Tapped]:
        """All messages to a server, as a wiretap would hold them that is lost with it."""
        return [pending.as_sent() for pending in self.sent() if pending.server == server]

    def sent(self) -> list[Pending]:
        """All calls in the order of sending."""
        return [pending for pendings in self._rounds for pending in pendings]

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
            DisclosureError: A server would get more of the frame than it may; nothing was sent.
            WireError: A call is not what the operation declares.
            ValueError: Unknown operation.
        """
        known = self.servers.operations
        if operation not in known:
            raise ValueError(f"unknown operation {operation!r}; known: {', '.join(known)}")
        self.check_servers(payloads)
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
            self._ledger.admit([(server, operation, arguments, call.payload) for server, call, _ in calls])
        # What is sent after a reply was waited for may depend on it.
        if calls and (not self._rounds or any(pending.asked for pending in self._rounds[-1])):
            self._rounds.append([])
        sent = {}
        for server, call, data in calls:
            forge = partial(self.lies.forge, server, call, declared, self.networks) if self.lies else None
            sent[server] = Pending(
                self.servers, self._transport, server, call, declared, data, self._deadline, forge
            )
            self._rounds[-1].append(sent[server])
            if self.servers.turns:
                sent[server].wait()
        return sent

    def check_servers(self, servers: Collection[int]) -> None:
        """Refuse servers that this cloud does not have."""
        if any(not 0 <= server < len(self) for server in servers):
            raise ValueError(f"servers are 0..{len(self) - 1}, found {sorted(servers)}")

    def give(self, pixels: Mapping[int, int]) -> None:
        """Refuse a plan by which servers would get so many more pixels, before any of its messages is sent.

        Raises:
            DisclosureError: One would then have more than it may.
        """
        self._ledger.foresee(pixels)

    def encode_windows(
        self,
        frame: Picture,
        assignment: Assignment,
        *,
        home: Sequence[Window] = (),
        weights: str = "fine-tuned",
        payload: str = "pixels",
        reply: str = "float32",
        chunk: int = 0,
    ) -> torch.Tensor:
        """Run the window stage on the servers: stream every server its windows, gather the tokens as they come.

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
            chunk: Windows in a message, so that a server computes some while others are under way; 0 for all of a
                server's in one. Without a lossy codec, which writes each message by itself, tokens do not depend
                on it.

        Returns:
            (1, h, w, C) tokens, as the global stage takes them.

        Raises:
            DisclosureError: A server would get more of the frame than the defense may give; nothing was sent.
            ValueError: The assignment does not fit the frame or the cloud.
            ServerLost: A server does not answer, and lost windows fail the pass.
            IntegrityError: The same of one that returned other tokens than were computed here.
        """
        if frame.shape[:2] != self._ledger.frame:
            raise ValueError(
                f"this pass is over a frame of {self._ledger.frame} pixels, found {frame.shape[:2]}"
            )
        return stream_windows(
            self, frame, assignment, home=home, weights=weights, payload=payload, reply=reply, chunk=chunk
        )

"""The calls of a pass: sending, counting rounds, giving servers up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Literal

from pedbench.base import Cloud, Networks
from pedbench.network.emulated_link import Transport
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import SpotChecks
from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.disclosure_ledger import Ledger
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.wiretap import Tapped
from pedbench.offload.wire.messages import Call, encode_call
from pedbench.offload.wire.schema import check_call
from pedbench.types import Exchange, Payload

OnLost = Literal["fail", "edge"]
"""The fate of windows whose tokens do not come back: the pass fails, or the edge computes them itself."""

DEADLINE = 120.0
"""Seconds that a call may take, unless told otherwise."""


class Calls:
    """The calls of one pass over one frame, to all of its servers.

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
        self._count = count
        self._ledger = ledger
        self._request = request
        self._rounds: list[list[Pending]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return self._count

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
        """Return all messages to a server, as a wiretap that is lost with it would have held them."""
        return [pending.as_sent() for pending in self.sent() if pending.server == server]

    def sent(self) -> list[Pending]:
        """Return all calls in the order of sending."""
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


def calls_of(cloud: Cloud) -> Calls:
    """Return a cloud with all that the harness uses of it, and defenses do not.

    Raises:
        TypeError: It is not the cloud of a pass.
    """
    if not isinstance(cloud, Calls):
        raise TypeError(f"expected the cloud that embed() was given, found {type(cloud).__name__}")
    return cloud

"""The calls of a pass: sending them, grouping them into rounds, and handling lost servers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pedbench.base import Cloud, Networks
from pedbench.network.emulated_link import Transport
from pedbench.network.links import Link
from pedbench.offload.integrity.dishonest_replies import Lies
from pedbench.offload.integrity.spot_checks import SpotChecks
from pedbench.offload.passes.call import Pending
from pedbench.offload.passes.disclosure_ledger import Ledger, Session
from pedbench.offload.passes.timing import Clock
from pedbench.offload.servers.fleet import Servers
from pedbench.offload.servers.wiretap import Tapped
from pedbench.offload.wire.messages import Call, encode_call
from pedbench.offload.wire.schema import check_call
from pedbench.types import Exchange, Payload

OnLost = Literal["fail", "edge"]
"""Treatment of windows whose tokens do not arrive: the pass fails, or the edge computes them."""

DEADLINE = 120.0
"""Default limit for the duration of a call, in seconds."""


@dataclass(frozen=True, kw_only=True)
class PassSettings:
    """Conditions of one pass that are not part of the defense.

    Attributes:
        request: Number of the request among the k requests of the scene.
        link: Link between edge and servers; by default this host's loopback.
        seed: Seed of the link's jitter and losses.
        deadline: Seconds until a reply must have arrived.
        on_lost: The treatment of windows whose tokens do not arrive.
        max_share: Largest share of the frame that one server may get, if it is below the defense's own limit.
        session: Session with earlier passes over the same camera, whose disclosure counts too.
        spot_checks: Spot checks of the servers; by default none.
        lies: False tokens of some servers; by default all servers are honest.
        watch: Called with each call when it is sent, on the edge's thread; it must return at once.
    """

    request: int = 0
    link: Link | None = None
    seed: int = 0
    deadline: float = DEADLINE
    on_lost: OnLost = "fail"
    max_share: float = math.inf
    session: Session | None = None
    spot_checks: SpotChecks | None = None
    lies: Lies | None = None
    watch: Callable[[Pending], None] | None = None


class Calls:
    """The calls of one pass over one frame, to all of its servers.

    Args:
        servers: The servers, of which the first `count` are used.
        count: Number of servers that the defense calls.
        networks: The edge's models.
        ledger: The disclosure ledger; nothing is sent that it does not admit.
        clock: The edge's clock.
        transport: The link to the servers.
        settings: Conditions of the pass.

    Attributes:
        streamed: Server and sequence number of messages whose bytes the harness made, not the defense: tokens, and
            arrays that a codec encoded.
        lost: Reason for each lost server, by its index.
    """

    def __init__(
        self,
        servers: Servers,
        *,
        count: int,
        networks: Networks,
        ledger: Ledger,
        clock: Clock,
        transport: Transport,
        settings: PassSettings,
    ) -> None:
        if count > len(servers):
            raise ValueError(f"the defense calls {count} servers, but {len(servers)} were started")
        self.servers = servers
        self.networks = networks
        self.clock = clock
        self._transport = transport
        self._settings = settings
        self.spot_checks = settings.spot_checks or SpotChecks()
        self.lies = settings.lies
        self.streamed: set[tuple[int, int]] = set()
        self.lost: dict[int, str] = {}
        self._count = count
        self._ledger = ledger
        self._rounds: list[list[Pending]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return self._count

    @property
    def rounds(self) -> tuple[tuple[Exchange, ...], ...]:
        """The exchanges of each round; complete after `settle`."""
        rounds = (tuple(p.exchange for p in pending if p.exchange) for pending in self._rounds)
        return tuple(exchanges for exchanges in rounds if exchanges)

    def settle(self) -> None:
        """Read the replies that the defense did not wait for, so that every message has an exchange."""
        for pending in self.sent():
            if pending.exchange is None and pending.server not in self.lost:
                pending.result()

    def abandon(self) -> None:
        """Wait until every call has ended, by a reply, a failure or its deadline."""
        for pending in self.sent():
            pending.wait()

    def lose(self, server: int, error: Exception) -> None:
        """Note that a server is lost: its reply is late, missing or wrong.

        Raises:
            Exception: `error`, if `on_lost` is `fail`.
        """
        if self._settings.on_lost == "fail":
            raise error
        self.lost.setdefault(server, str(error))

    def sent_to(self, server: int) -> list[Tapped]:
        """Return all messages to a server, as its wiretap should have recorded them."""
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
            payloads: Arrays of the payload by name, for each server.
            operation: Name of the operation.
            arguments: All string arguments that the operation declares.
            codecs: Labels of codecs by array. Only the harness may use them: a message with an encoded array that is
                not in `streamed` counts as unexplained.
            reply: Label of the codec for the reply's arrays; "" for none.

        Returns:
            The pending call of each server.

        Raises:
            DisclosureError: A server would get more of the frame than it may; nothing was sent.
            WireError: A call does not match the operation's declaration.
            ValueError: The operation is unknown.
        """
        known = self.servers.operations
        if operation not in known:
            raise ValueError(f"unknown operation {operation!r}; known: {', '.join(known)}")
        self.check_servers(payloads)
        declared = known[operation]
        calls = []
        with self.clock.preparing():
            for server, payload in payloads.items():
                # The order of arrays is part of the schema. Undeclared arrays stay, so that `check_call` refuses them.
                ordered = {
                    name: payload[name] for name in sorted(payload, key=[*declared.request, *payload].index)
                }
                call = Call(
                    operation=operation,
                    request=self._settings.request,
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
        # Messages that are sent after a reply was read may depend on it: they begin a new round.
        if calls and (not self._rounds or any(pending.awaited for pending in self._rounds[-1])):
            self._rounds.append([])
        sent = {}
        for server, call, data in calls:
            forge = partial(self.lies.forge, server, call, declared, self.networks) if self.lies else None
            sent[server] = Pending(
                self.servers, self._transport, server, call, declared, data, self._settings.deadline, forge
            )
            self._rounds[-1].append(sent[server])
            if self._settings.watch is not None:
                self._settings.watch(sent[server])
            if self.servers.turns:
                sent[server].wait()
        return sent

    def check_servers(self, servers: Collection[int]) -> None:
        """Raise ValueError if this cloud lacks one of these servers."""
        if any(not 0 <= server < len(self) for server in servers):
            raise ValueError(f"servers are 0..{len(self) - 1}, found {sorted(servers)}")

    def give(self, pixels: Mapping[int, int]) -> None:
        """Check a plan before any of its messages is sent; `pixels` are the additional pixels for each server.

        Raises:
            DisclosureError: A server would get more than it may.
        """
        self._ledger.check_plan(pixels)


def calls_of(cloud: Cloud) -> Calls:
    """Return a cloud as `Calls`, with the methods that the harness uses and defenses do not.

    Raises:
        TypeError: The object is not the cloud of a pass.
    """
    if not isinstance(cloud, Calls):
        raise TypeError(f"expected the cloud that embed() was given, found {type(cloud).__name__}")
    return cloud

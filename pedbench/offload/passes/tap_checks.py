"""Comparison of what the edge says it sent and got with what the servers' wiretaps recorded."""

from __future__ import annotations

from collections.abc import Sequence

from pedbench.errors import AuditError
from pedbench.offload.passes.call import Pending
from pedbench.offload.servers.wiretap import Tapped, digest
from pedbench.types import Exchange, Received


def check_bytes(exchanges: Sequence[Exchange], received: Sequence[Received]) -> None:
    """Compare the lengths of messages and replies that the edge and the servers recorded.

    Messages that no schema explains may be unknown to the edge: they count as the whole frame anyway.

    Raises:
        AuditError: A message is missing at one end, or has different lengths at both ends.
    """
    sent = {(e.server, e.request, e.sequence): (e.operation, e.bytes_up, e.bytes_down) for e in exchanges}
    for message in received:
        key = (message.server, message.request, message.sequence)
        found = (message.operation, message.bytes_in, message.bytes_out)
        expected = sent.pop(key, None)
        if expected != found and not (expected is None and message.unexplained):
            raise AuditError(
                f"server {message.server}, message {message.sequence}: the server recorded {found} "
                f"(operation, bytes in, bytes out), the edge {expected or 'nothing of it'}"
            )
    if sent:
        raise AuditError(f"the edge sent messages that no server has: {sorted(sent)}")


def check_contents(sent: Sequence[Pending], taps: Sequence[Sequence[Tapped]]) -> None:
    """Compare the digests of messages and replies that the edge and the servers recorded.

    Raises:
        AuditError: A message or a reply differs between both ends.
    """
    for pending in sent:
        found = [tapped for tapped in taps[pending.server] if tapped.digest_in == digest(pending.data)]
        if not found:
            raise AuditError(
                f"server {pending.server} received a message {pending.sequence} that differs from the one sent"
            )
        if pending.reply is not None and digest(pending.reply) not in {each.digest_out for each in found}:
            raise AuditError(
                f"server {pending.server} recorded a reply to message {pending.sequence} that differs from the one "
                "received"
            )

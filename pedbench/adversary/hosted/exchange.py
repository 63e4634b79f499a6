"""Requests to a service: spaced, repeated where that helps, paid within a limit, and without a word of the keys."""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from pedbench.network.addresses import is_loopback

TRIES = 6
"""Times that one request is sent, the first included."""

FIRST_WAIT = 2.0
"""Seconds before the first repetition; each further wait is twice as long."""

LONGEST_WAIT = 120.0
"""Seconds that a service may have a request wait before it is repeated."""

PATIENCE = 300.0
"""Seconds without a byte after which a service counts as gone: some paint for minutes before they answer."""

MOST_BYTES = 64 << 20
"""Size of the largest reply that is read."""

_REPEATED = frozenset({408, 425, 429, 500, 502, 503, 504})

_ADVICE = {
    400: "it refuses a parameter: check model, prompt and side of the attack",
    401: "it does not accept the key: check {keys}",
    402: "the account has no credit",
    403: "the key may not use this service, or its quota is used up",
    404: "there is nothing at this address: check the attack's url",
    408: "it did not receive the request in time",
    413: "the picture is too large for it: lower the attack's side",
    415: "it does not take this kind of file",
    422: "it cannot use a parameter: check model, prompt and side of the attack",
    429: "it gets too many requests: lower per_minute in the suite's table uploads, or wait",
    451: "its rules refuse the picture or the prompt",
}


class HostedError(RuntimeError):
    """A service that gave no picture, or may not be requested; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time as requests use it; tests bring their own."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses to follow: a picture and a key go to the host that the suite names, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(kw_only=True)
class Exchange:
    """Requests to one service.

    Attributes:
        keys: Secrets by the names of their environment variables.
        tokens: Secrets that the service gave for them.
        spend: Called before each request that costs; raises HostedError at the limit.
        per_minute: Requests that cost, at most.
    """

    keys: Mapping[str, str]
    spend: Callable[[], None]
    per_minute: float
    tokens: set[str] = field(default_factory=set)
    clock: Clock = field(default_factory=Clock)
    chance: random.Random = field(default_factory=random.Random)
    _next: float = 0.0

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, paid: bool = False) -> bytes:
        """Send a body and return the reply; see `get`.

        Args:
            paid: Whether each try counts against the limits: a service may charge for one whose reply is lost.
        """
        return self._repeat(url, body, headers, paid=paid)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Return what lies at an address.

        Raises:
            HostedError: The service refused, or did not answer after some tries.
        """
        return self._repeat(url, None, headers or {}, paid=False)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)

    def clean(self, text: str) -> str:
        """Return text in one short line in which keys are blotted out."""
        for secret in filter(None, (*self.keys.values(), *self.tokens)):
            for form in (secret, quote(secret), quote(secret, safe="")):
                text = text.replace(form, "[key]")
        return " ".join(text.split())[:300]

    def _repeat(self, url: str, body: bytes | None, headers: Mapping[str, str], *, paid: bool) -> bytes:
        refuse_plain(url)
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxies = urllib.request.ProxyHandler(None if parts.scheme == "https" else {})
        opener = urllib.request.build_opener(proxies, _NoRedirect)
        reason = ""
        for attempt in range(TRIES):
            if paid:
                self._take_turn()
                self.spend()
            wait = FIRST_WAIT * 2**attempt * self.chance.uniform(0.5, 1.0)
            # A new one each time: a proxy changes it, and a changed one would go to the proxy in the clear.
            request = urllib.request.Request(url, body, {**headers, "User-Agent": "pedbench"})
            try:
                with opener.open(request, timeout=PATIENCE) as answer:
                    reply: bytes = answer.read(MOST_BYTES + 1)
            except urllib.error.HTTPError as error:
                with error:
                    # Nothing of an answer that is about the key itself.
                    message = "" if error.code in (401, 403) else _read(error)
                    reason = self._refusal(host, error.code, message)
                    if error.code not in _REPEATED:
                        raise HostedError(reason) from None
                    requested = retry_after(error.headers.get("Retry-After"), self.clock.now())
                if requested is not None:
                    wait = max(wait, requested)
            except (OSError, http.client.HTTPException) as error:
                reason = self.clean(f"{host} does not answer: {getattr(error, 'reason', None) or error}")
            else:
                if len(reply) > MOST_BYTES:
                    raise HostedError(f"{host} answers with more than {MOST_BYTES:,} bytes")
                return reply
            if wait > LONGEST_WAIT:
                raise HostedError(f"{reason}. It asks to wait {wait:.0f} s: run the suite again later")
            if attempt < TRIES - 1:
                self.clock.sleep(wait)
        raise HostedError(f"{reason}. Tried {TRIES} times: run the suite again later")

    def _take_turn(self) -> None:
        now = self.clock.now()
        if now < self._next:
            self.clock.sleep(self._next - now)
        self._next = max(now, self._next) + 60 / self.per_minute

    def _refusal(self, host: str, code: int, message: str) -> str:
        other = "it failed" if code >= 400 else "it sends to another address: check the attack's url"
        advice = _ADVICE.get(code, other).format(keys=" and ".join(self.keys) or "the account")
        return f"{host} answers {code}: {advice}" + (f" ({self.clean(message)})" if message else "")


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number or a date (RFC 9110, section 10.2.3).

    Examples:
        >>> retry_after("7", 0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), retry_after("soon", 0.0)
        (7.0, 40.0, None)
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def refuse_plain(url: str) -> None:
    """Raise HostedError if requests to an address could be read on their way."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise HostedError(
            f"{parts.scheme}://{parts.hostname}: pictures and keys leave this machine by https alone: give an https "
            "address, or go through an SSH tunnel to http://127.0.0.1"
        )


def multipart(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Return a body of form data (RFC 7578) and its content type; the same parts give the same bytes.

    Args:
        files: PNG by the field's name.
    """
    content = [(f'name="{name}"', "", value.encode()) for name, value in fields.items()]
    content += [
        (f'name="{name}"; filename="{name}.png"', "Content-Type: image/png\r\n", data)
        for name, data in files.items()
    ]
    boundary = hashlib.sha256(b"".join(data for *_, data in content)).hexdigest()
    parts = [
        f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\n{kind}\r\n".encode() + data + b"\r\n"
        for name, kind, data in content
    ]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def read_json(reply: bytes, host: str) -> dict[str, Any]:
    """Return the JSON object of a reply.

    Raises:
        HostedError: It is none.
    """
    try:
        found = json.loads(reply)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HostedError(f"{host}: expected a JSON object, found something else: check the attack's url")
    return found


def _read(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""

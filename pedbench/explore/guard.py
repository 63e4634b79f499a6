"""The door of the explorer: nothing behind it is reached without a cookie, under another name, or from elsewhere."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from pedbench.network.addresses import is_loopback

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/_nicegui/", "/_nicegui_ws/")
"""Beginnings of the paths that the page itself asks for, besides `/`."""

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

_PASSWORD_BYTES = 4096
"""Largest form with a password."""

_ENTER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>pedbench explore</title>
<link rel="icon" href="data:,">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="0;url=/"><p>Opening …</p></html>"""

_ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>pedbench explore</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 20vh auto; padding: 0 1rem }}
input, button {{ font: inherit; padding: .4rem .7rem }}</style>
<h1>pedbench explore</h1><p>{sentence}</p><form method="post" action="/"><label>Password
<input type="password" name="password" autofocus required></label> <button>Open</button></form></html>"""


def _at_most(length: str, limit: int) -> bool:
    """Return whether a Content-Length header is a number up to a limit."""
    return length.isdecimal() and len(length) <= len(str(limit)) and int(length) <= limit


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """An ASGI application that lets requests through to another one once they are known.

    The address that the command prints holds a token, which is good for one visit and leaves a cookie behind. With a
    password, whoever knows it gets the same cookie.

    Args:
        app: What is guarded.
        port: Port of the address.
        host: What the command was told to listen on; names of loopback always work.
        password: Lets in who has no token; None for nobody.
        limit: Largest body of a request in bytes.
    """

    def __init__(
        self, app: App, *, port: int, host: str = "127.0.0.1", password: str | None = None, limit: int
    ) -> None:
        self.token: str | None = secrets.token_urlsafe(32)
        self._app, self._port, self._host, self._limit = app, port, host, limit
        self._password = password
        self._secret = secrets.token_urlsafe(32)
        self._cookie = f"pedbench_explore_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        origin = headers.get(b"origin")
        if not self._is_own(host) or (origin is not None and origin != f"http://{host}"):
            await _refuse(scope, receive, send, 421, "This address does not belong to pedbench explore.")
        elif not self._knows(headers.get(b"cookie", "")):
            await self._let_in(scope, receive, send)
        elif not _at_most(headers.get(b"content-length", "0"), self._limit):
            await _refuse(
                scope, receive, send, 413, f"More than the {self._limit:,} bytes that are accepted."
            )
        elif scope["path"] != "/" and not scope["path"].startswith(OPEN):
            await _refuse(scope, receive, send, 404, "There is no such page.")
        else:
            await self._app(scope, _bounded(receive, self._limit), _with_headers(send))

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header names this server: a name that somebody else's DNS holds does not."""
        name, _, port = host.rpartition(":")
        name = name.removeprefix("[").removesuffix("]")
        if port != str(self._port):
            return False
        return name == self._host or is_loopback(name) or (not is_loopback(self._host) and _is_address(name))

    def _knows(self, cookies: str) -> bool:
        try:
            found = SimpleCookie(cookies).get(self._cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value, self._secret)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the cookie to who has the token or the password."""
        if scope["type"] != "http" or scope["path"] != "/":
            await _refuse(scope, receive, send, 403, "Open the address that the command printed.")
            return
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        known = self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())
        if known:
            self.token = None
        elif self._password is None:
            sentence = "Open the address that the command printed. It works once: start the command again for another."
            await _refuse(scope, receive, send, 403, sentence)
            return
        else:
            sentence = ""
            if scope["method"] == "POST":
                body = await _body(receive, _PASSWORD_BYTES)
                tried = parse_qs(body.decode("latin-1")).get("password", [""])[0]
                known = hmac.compare_digest(tried.encode(), self._password.encode())
                sentence = "That is not the password."
                # Guessing takes its time.
                await asyncio.sleep(0 if known else 1)
            if not known:
                await _answer(scope, receive, send, HTMLResponse(_ASK.format(sentence=sentence), 401))
                return
        # The page sends itself on: after a redirect from elsewhere a strict cookie would not be sent.
        response = HTMLResponse(_ENTER)
        response.set_cookie(self._cookie, self._secret, httponly=True, samesite="strict")
        await _answer(scope, receive, send, response)


def _bounded(receive: Receive, limit: int) -> Receive:
    """Return a `receive` that ends the connection once a body has more than `limit` bytes."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                return {"type": "http.disconnect"}
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending


async def _body(receive: Receive, limit: int) -> bytes:
    body: bytes = b""
    while len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body if len(body) <= limit else b""


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await _answer(scope, receive, send, PlainTextResponse(sentence, status))


async def _answer(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    response.headers["cache-control"] = "no-store"
    await response(scope, receive, _with_headers(send))

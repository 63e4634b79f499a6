"""The door of the explorer, asked as an ASGI application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pedbench.explore.guard import Guard

PORT = 4321
HOST = f"127.0.0.1:{PORT}"


class Inner:
    """Application behind the guard: it notes who comes through and how much each brings."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if message["type"] == "http.disconnect":
                return
            if not message.get("more_body"):
                break
        self.seen.append((scope["path"], size))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


class Client:
    """A browser that keeps one cookie."""

    def __init__(self, **settings: Any) -> None:
        self.inner = Inner()
        self.guard = Guard(self.inner, port=PORT, limit=100, **settings)
        self.cookie = ""

    def ask(
        self,
        path: str = "/",
        *,
        query: str = "",
        host: str = HOST,
        origin: str | None = None,
        kind: str = "http",
        body: tuple[bytes, ...] = (b"",),
        **headers: str,
    ) -> tuple[int, dict[str, str], str]:
        """Return the status, the headers and the text of an answer; for a web socket its closing code."""
        named = {"host": host, "cookie": self.cookie, **headers} | ({"origin": origin} if origin else {})
        scope = {
            "type": kind,
            "method": "POST" if body != (b"",) else "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
        }
        parts, sent = list(body), []

        async def receive() -> Any:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        if not sent:
            return 0, {}, ""
        if sent[0]["type"] == "websocket.close":
            return sent[0]["code"], {}, ""
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, sent[-1]["body"].decode()

    def enter(self) -> tuple[int, dict[str, str], str]:
        """Use the token, and keep the cookie."""
        status, headers, text = self.ask(query=f"token={self.guard.token}")
        self.cookie = headers.get("set-cookie", "").partition(";")[0]
        return status, headers, text


@pytest.fixture
def known() -> Client:
    client = Client()
    client.enter()
    return client


def test_token_works_once_and_leaves_a_strict_cookie() -> None:
    client = Client()
    token = client.guard.token
    for query in ("", "token=", "token=wrong", f"tokens={token}"):
        assert client.ask(query=query)[0] == 403
    # Only the page itself takes it.
    assert client.ask("/_nicegui/x", query=f"token={token}")[0] == 403
    status, headers, text = client.enter()
    assert (status, client.inner.seen) == (200, [])
    assert set(headers["set-cookie"].lower().split("; ")[1:]) == {"path=/", "httponly", "samesite=strict"}
    assert token is not None
    assert token not in text + headers["set-cookie"]
    assert client.ask()[2] == "inside"
    client.cookie = ""
    assert client.ask(query=f"token={token}")[0] == 403


@pytest.mark.parametrize(
    "cookie", ["", "pedbench_explore_4321=", "pedbench_explore_4321=x", "=;;\xe9", "a=b"]
)
def test_nothing_is_reached_without_the_cookie(cookie: str) -> None:
    client = Client()
    client.cookie = cookie
    for path in ("/", "/_nicegui/3.18.0/static/nicegui.js", "/docs", "/_nicegui/client/1/upload/2"):
        assert client.ask(path)[0] == 403
    assert client.ask("/_nicegui_ws/socket.io/", kind="websocket")[0] == 1008
    assert client.inner.seen == []


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        (HOST, True),
        ("localhost:4321", True),
        ("[::1]:4321", True),
        ("127.0.0.1", False),
        ("127.0.0.1:80", False),
        ("evil.example:4321", False),
        ("127.0.0.1.evil.example:4321", False),
        ("192.168.1.9:4321", False),
        ("", False),
    ],
)
def test_another_name_for_this_machine_is_refused(known: Client, host: str, passes: bool) -> None:
    assert (known.ask(host=host)[0] == 200) == passes
    assert (known.ask("/_nicegui_ws/", host=host, kind="websocket")[0] != 1008) == passes


def test_pages_of_others_cannot_ask_in_the_person_s_name(known: Client) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:80", f"https://{HOST}"):
        assert known.ask(origin=origin)[0] == 421
        assert known.ask("/_nicegui_ws/", origin=origin, kind="websocket")[0] == 1008
    assert known.ask(origin=f"http://{HOST}")[0] == 200


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/etc/passwd", "/../etc/passwd", "//etc", "/static/x"]
)
def test_other_paths_do_not_exist(known: Client, path: str) -> None:
    assert known.ask(path)[0] == 404
    assert known.inner.seen == []


def test_bodies_are_bounded_whatever_the_header_says(known: Client) -> None:
    upload = "/_nicegui/client/1/upload/2"
    assert known.ask(upload, body=(b"x" * 60, b"x" * 40))[0] == 200
    assert known.ask(upload, body=(b"x" * 101,), content_length="101")[0] == 413
    assert known.ask(upload, body=(b"x" * 60, b"x" * 60, b""), content_length="10")[0] == 0
    assert known.ask(upload, content_length="-5x")[0] == 413
    assert known.inner.seen == [(upload, 100)]


def test_answers_forbid_what_comes_from_elsewhere(known: Client) -> None:
    policy = known.ask()[1]["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert known.ask()[1]["referrer-policy"] == "no-referrer"


def test_password_lets_in_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("pedbench.explore.guard.asyncio.sleep", sleep)
    client = Client(host="0.0.0.0", password="p{ss wörd")
    elsewhere = f"192.168.1.9:{PORT}"
    assert client.ask(host=f"evil.example:{PORT}")[0] == 421
    assert "password" in client.ask(host=elsewhere)[2]
    for wrong in (b"password=p", b"", b"password=" + b"x" * 5000):
        assert client.ask(host=elsewhere, body=(wrong, b""))[0] == 401
    assert waited == [1, 1, 1]
    status, headers, _ = client.ask(host=elsewhere, body=(b"password=p%7Bss+w%C3%B6rd",))
    assert status == 200
    client.cookie = headers["set-cookie"].partition(";")[0]
    assert client.ask(host=elsewhere)[2] == "inside"

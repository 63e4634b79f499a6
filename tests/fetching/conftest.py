"""A server that breaks off, lies, stalls and lacks files."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Source:
    """A server and how it behaves.

    Attributes:
        breaks: Bytes after which it ends each of the next answers.
        ranges: Whether it can serve a file from the middle on.
        stalls: Whether it stops sending after the first bytes.
        archive: Another file, to serve in place of the content.
        requested: Ranges of the requests; None for whole files.
        paths: Paths of the requests.
    """

    url: str = ""
    content: bytes = CONTENT
    archive: bytes = b""
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    stalls: bool = False
    requested: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    going: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def source() -> Iterator[Source]:
    state = Source()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span = self.headers.get("Range")
            state.requested.append(span)
            state.paths.append(self.path)
            if not self.path.endswith("/file.bin"):
                self.send_error(404)
                return
            first = int(span.split("=")[1].rstrip("-")) if span and state.ranges else 0
            if first >= len(state.content):
                self.send_error(416)
                return
            body = state.content[first:]
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.stalls:
                self.wfile.write(body[:1000])
                self.wfile.flush()
                state.going.wait(20)
                return
            self.wfile.write(body[: state.breaks.pop(0)] if state.breaks else body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    yield state
    state.going.set()
    server.shutdown()
    server.server_close()

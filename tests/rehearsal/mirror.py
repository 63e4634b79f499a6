"""A mirror of files on loopback that ends its first answers early."""

from __future__ import annotations

import http.server
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LARGE = 100_000
"""Size in bytes from which a file's first answer ends after half of it."""


@dataclass(kw_only=True)
class Mirror:
    """A server of the files of a folder.

    Attributes:
        url: Its address.
        requested: First byte of each request for a path that exists, in the order of requests.
        refused: Paths that do not exist.
    """

    url: str = ""
    requested: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[Mirror]:
    """Serve a folder for the length of a context, with ranges of bytes."""
    mirror = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = folder / self.path.lstrip("/")
            if not file.is_file():
                mirror.refused.append(self.path)
                self.send_error(404)
                return
            first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            mirror.requested[self.path].append(first)
            body = file.read_bytes()[first:]
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            breaks = not first and len(body) >= LARGE
            self.wfile.write(body[: len(body) // 2] if breaks else body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror.url = f"http://127.0.0.1:{server.server_port}"
        yield mirror
        server.shutdown()

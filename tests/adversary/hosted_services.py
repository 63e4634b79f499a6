"""A local server that speaks the forms of hosted inpainting, and refuses as it is told."""

from __future__ import annotations

import base64
import email
import email.policy
import http.server
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import numpy.typing as npt
from PIL import Image

KEYS = {
    "FIREFLY_SERVICES_CLIENT_ID": "client+of/tests",
    "FIREFLY_SERVICES_CLIENT_SECRET": "p8e-secret/of+tests",
    "OPENAI_API_KEY": "sk-of-tests",
    "PEDBENCH_INPAINT_KEY": "key-of-tests",
}
TOKEN = "token-of-tests"
COLOUR = (255, 0, 128)
"""Colour that the server paints."""


@dataclass
class Services:
    """Requests that a server got, and its answers.

    Attributes:
        refusals: Status, headers and body of the next replies, by path; an empty list answers properly.
        paths: Paths of the requests, in order.
        methods: Their methods.
        bodies: Bodies of requests by path.
        painted: Pictures and masks that were to be painted, decoded.
    """

    url: str = ""
    refusals: dict[str, list[tuple[int, dict[str, str], str]]] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    fields: list[dict[str, Any]] = field(default_factory=list)
    painted: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    status_url: str = ""

    def paid(self) -> int:
        """Number of requests that would cost."""
        return sum(path in ("/v3/images/fill-async", "/v1/images/edits", "/fill") for path in self.paths)

    def paint(self, picture: bytes, mask: bytes) -> bytes:
        """Fill the masked part with one colour, whichever way the mask is written."""
        image, mask_pixels = (np.asarray(Image.open(io.BytesIO(data))) for data in (picture, mask))
        hidden = mask_pixels == 255 if mask_pixels.ndim == 2 else mask_pixels[..., 3] == 0
        self.painted.append((image, hidden))
        return png(np.where(hidden[..., None], np.array(COLOUR, np.uint8), image[..., :3]))


def png(array: npt.NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def form_parts(kind: str, body: bytes) -> dict[str, bytes]:
    """Read form data with the standard library's own reader."""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True) or b""  # type: ignore[misc]
        for part in message.iter_parts()
    }


@contextmanager
def serving() -> Iterator[Services]:
    state = Services()
    stored: list[bytes] = []
    results: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            state.refusals[self.path] = [(502, {}, "")]
            self.answer(b"")

        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers["Content-Length"])))

        def answer(self, body: bytes) -> None:
            state.paths.append(self.path)
            state.methods.append(self.command)
            state.bodies.setdefault(self.path, []).append(body)
            if refusals := state.refusals.get(self.path):
                code, headers, message = refusals.pop(0)
                self.reply(code, message.encode(), **headers)
                return
            reply = getattr(self, "at_" + self.path.strip("/").replace("/", "_").replace("-", "_"))(body)
            self.reply(200, reply if isinstance(reply, bytes) else json.dumps(reply).encode())

        def reply(self, code: int, body: bytes, **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def bearer(self, key: str) -> None:
            assert self.headers["Authorization"] == f"Bearer {key}", self.path

        def at_ims_token_v3(self, body: bytes) -> Any:
            form = parse_qs(body.decode())
            assert form["client_secret"] == [KEYS["FIREFLY_SERVICES_CLIENT_SECRET"]]
            assert form["grant_type"] == ["client_credentials"]
            return {"access_token": TOKEN, "expires_in": 86399}

        def at_v2_storage_image(self, body: bytes) -> Any:
            self.bearer(TOKEN)
            assert self.headers["x-api-key"] == KEYS["FIREFLY_SERVICES_CLIENT_ID"]
            assert self.headers["Content-Type"] == "image/png"
            stored.append(body)
            return {"images": [{"id": str(len(stored) - 1)}]}

        def at_v3_images_fill_async(self, body: bytes) -> Any:
            self.bearer(TOKEN)
            body_fields = json.loads(body)
            state.fields.append(body_fields)
            picture, mask = (
                stored[int(body_fields[name]["source"]["uploadId"])] for name in ("image", "mask")
            )
            results.append(state.paint(picture, mask))
            return {"jobId": "urn:1", "statusUrl": state.status_url or f"{state.url}/v3/status/urn"}

        def at_v3_status_urn(self, body: bytes) -> Any:
            self.bearer(TOKEN)
            if state.states:
                return state.states.pop(0)
            outputs = [{"seed": 1, "image": {"url": f"{state.url}/result"}}]
            return {"status": "succeeded", "jobId": "urn:1", "result": {"outputs": outputs}}

        def at_result(self, body: bytes) -> Any:
            assert "Authorization" not in self.headers
            return results[-1]

        def at_v1_images_edits(self, body: bytes) -> Any:
            self.bearer(KEYS["OPENAI_API_KEY"])
            parts = form_parts(self.headers["Content-Type"], body)
            state.fields.append({name: parts[name].decode() for name in parts.keys() - {"image", "mask"}})
            painted = state.paint(parts["image"], parts["mask"])
            return {"created": 0, "data": [{"b64_json": base64.b64encode(painted).decode()}]}

        def at_fill(self, body: bytes) -> Any:
            self.bearer(KEYS["PEDBENCH_INPAINT_KEY"])
            parts = form_parts(self.headers["Content-Type"], body)
            state.fields.append({name: parts[name].decode() for name in parts.keys() - {"image", "mask"}})
            return state.paint(parts["image"], parts["mask"])

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()

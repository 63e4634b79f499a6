"""Adobe Firefly's generative fill."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from pedbench.adversary.hosted.exchange import HostedError, read_json
from pedbench.adversary.hosted.provider import Provider
from pedbench.adversary.hosted.uploads import Upload, png

IMS = "https://ims-na1.adobelogin.com"
"""Where access tokens come from."""

SCOPE = "openid,AdobeID,session,additional_info,read_organizations,firefly_api,ff_apis"

POLL = 2.0
"""Seconds between two questions for a job's status."""

MOST_POLLS = 150
"""Questions after which a job counts as lost."""

_EARLY = 60.0
"""Seconds before its end at which a token is asked for anew."""


class Firefly(Provider):
    """Upload of picture and mask, POST /v3/images/fill-async, questions for the status, the picture from its address.

    The mask is white where the picture is to be painted. Sources: Firefly API reference, "Fill image (asynchronous)"
    and "Upload image", https://developer.adobe.com/firefly-services/docs/firefly-api/; authentication
    (server to server, client credentials) in the guide "Getting started" there.
    """

    address = "https://firefly-api.adobe.io"
    keys = ("FIREFLY_SERVICES_CLIENT_ID", "FIREFLY_SERVICES_CLIENT_SECRET")
    _token: str = ""
    _until: float = 0.0

    def fill(self, upload: Upload, seed: int) -> bytes:
        height, width = upload.hidden.shape
        body: dict[str, Any] = {
            "numVariations": 1,
            "seeds": [seed],
            "size": {"width": width, "height": height},
            "image": {"source": {"uploadId": self._stored(png(upload.picture))}},
            "mask": {"source": {"uploadId": self._stored(png(upload.hidden.astype(np.uint8) * 255))}},
        }
        if self.hosted.prompt:
            body["prompt"] = self.hosted.prompt
        headers = self._headers("application/json")
        if self.hosted.model:
            headers["x-model-version"] = self.hosted.model
        reply = self.exchange.post(
            f"{self.base}/v3/images/fill-async", json.dumps(body).encode(), headers, paid=True
        )
        status = _text(read_json(reply, self.base), "statusUrl")
        if not self._ours(status):
            raise HostedError(f"{self.base}: its statusUrl leads to another host: the key does not go there")
        return self.exchange.get(self._finished(status))

    def _stored(self, data: bytes) -> str:
        """Upload a file, and return its id."""
        reply = self.exchange.post(f"{self.base}/v2/storage/image", data, self._headers("image/png"))
        return _text(read_json(reply, self.base), "images", 0, "id")

    def _finished(self, status: str) -> str:
        """Wait for a job, and return the address of its picture."""
        for _ in range(MOST_POLLS):
            found = read_json(self.exchange.get(status, self._headers("application/json")), self.base)
            state = str(found.get("status", "")).lower()
            if state == "succeeded":
                address = _text(found.get("result", found), "outputs", 0, "image", "url")
                if urlsplit(address).scheme != "https" and not self._ours(address):
                    raise HostedError(f"{self.base}: its picture lies at an address without https")
                return address
            if state in ("failed", "cancelled", "canceled", "timeout"):
                reason = {name: found[name] for name in ("error_code", "message", "errors") if name in found}
                raise HostedError(f"{self.base}: the job {state}: {self.exchange.clean(json.dumps(reason))}")
            self.exchange.wait(POLL)
        raise HostedError(
            f"{self.base}: no picture after {POLL * MOST_POLLS:.0f} s: run the suite again later"
        )

    def _ours(self, url: str) -> bool:
        """Return whether an address is of the service itself."""
        found, base = urlsplit(url), urlsplit(self.base)
        if (found.scheme, found.netloc) == (base.scheme, base.netloc):
            return True
        domain = ".adobe.io"
        return (
            found.scheme == "https"
            and (found.hostname or "").endswith(domain)
            and (base.hostname or "").endswith(domain)
        )

    def _headers(self, kind: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._access()}",
            "x-api-key": self.key(self.keys[0]),
            "Content-Type": kind,
            "Accept": "application/json",
        }

    def _access(self) -> str:
        """Return an access token, a new one where the last one ends soon."""
        now = self.exchange.clock.now()
        if now >= self._until:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.key(self.keys[0]),
                "client_secret": self.key(self.keys[1]),
                "scope": SCOPE,
            }
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            ims = IMS if self.base == self.address else self.base
            reply = self.exchange.post(f"{ims}/ims/token/v3", urlencode(form).encode(), kind)
            found = read_json(reply, ims)
            self._token = _text(found, "access_token")
            self.exchange.tokens.add(self._token)
            seconds = found.get("expires_in")
            self._until = now + (seconds if isinstance(seconds, int | float) else 0) - _EARLY
        return self._token


def _text(found: Any, *path: str | int) -> str:
    for step in path:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            found = None
    if not isinstance(found, str):
        raise HostedError(f"expected {'.'.join(map(str, path))} in the service's reply, found none")
    return found

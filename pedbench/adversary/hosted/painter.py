"""Paintings of views by a service: from the cache, or asked for within the suite's limits."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pedbench.adversary.hosted.exchange import Clock, Exchange, HostedError, refuse_plain
from pedbench.adversary.hosted.firefly import Firefly
from pedbench.adversary.hosted.form import Form
from pedbench.adversary.hosted.image_edits import ImageEdits
from pedbench.adversary.hosted.provider import Provider
from pedbench.adversary.hosted.uploads import Upload, make_upload, paintable, paste_reply
from pedbench.base import Hosted
from pedbench.errors import suggestion
from pedbench.fetching.fetch import OFFLINE
from pedbench.host.files import write_atomically
from pedbench.host.home import home
from pedbench.network.addresses import is_loopback
from pedbench.types import Picture, View

PROVIDERS: Mapping[str, type[Provider]] = {"firefly": Firefly, "form": Form, "image_edits": ImageEdits}

FOLDER = "hosted"
"""Below pedbench's home: replies of services by a hash of what was asked, and the requests of each suite."""

KEY_HOSTS = "PEDBENCH_KEY_HOSTS"
"""Variable with hosts besides the providers' own that may get keys, with commas between them."""


def host_of(hosted: Hosted) -> str:
    """Return the name of the host that gets the pictures.

    Raises:
        ValueError: The provider is unknown, or the url is no address.
    """
    if hosted.provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise ValueError(
            f"there is no provider {hosted.provider!r}{suggestion(hosted.provider, PROVIDERS)}. Known: {known}."
        )
    url = hosted.url or PROVIDERS[hosted.provider].address
    found = urlsplit(url)
    if not found.scheme or not found.hostname or found.username or found.password:
        raise ValueError(
            f"url: expected an address such as https://HOST/PATH without a password, found {url!r}"
        )
    try:
        refuse_plain(url)
    except HostedError as error:
        raise ValueError(f"url: {error}") from None
    return found.netloc


@dataclass(kw_only=True)
class Painter:
    """A run's only way to services.

    Attributes:
        account: File name under which requests are counted; the suite's, so that all its runs share a limit.
        most_requests: Requests that may cost.
        price: Price of one.
        most_cost: Limit of the cost; None for none.
        per_minute: Requests that may cost in a minute.
        sent: Samples that services were asked for in this process; their pictures may have been received.
    """

    account: str
    most_requests: int
    price: float = 0.0
    most_cost: float | None = None
    per_minute: float = 10.0
    clock: Clock = field(default_factory=Clock)
    sent: int = 0
    _open: dict[Hosted, Provider] = field(default_factory=dict)

    def paint(self, hosted: Hosted, view: View) -> tuple[Picture, ...]:
        """Return samples of a view's frame; none where there is nothing to go by or nothing to paint.

        Raises:
            HostedError: The service gave none, or the limit is reached.
        """
        if not paintable(view):
            return ()
        provider = self._provider(hosted)
        upload = make_upload(view, provider.size(view.frame_size))
        return tuple(self._sample(provider, upload, view, number) for number in range(hosted.samples))

    def _provider(self, hosted: Hosted) -> Provider:
        if hosted not in self._open:
            host = host_of(hosted)
            if os.environ.get(OFFLINE):
                raise HostedError(f"{OFFLINE} is set: unset it to send pictures to {host}")
            kind = PROVIDERS[hosted.provider]
            names = (*kind.keys, *kind.optional_keys)
            keys = {name: key for name in names if (key := os.environ.get(name, "").strip())}
            for name in kind.keys:
                if name not in keys:
                    raise HostedError(f"{host} wants a key: set {name} in the environment of the run")
            for name, key in keys.items():
                # What refuses such a header would print it.
                if not (key.isascii() and key.isprintable()):
                    raise HostedError(f"{name} holds characters that no key has: set it anew")
            if keys:
                _refuse_stranger(hosted)
            exchange = Exchange(keys=keys, spend=self._spend, per_minute=self.per_minute, clock=self.clock)
            self._open[hosted] = kind(hosted=hosted, exchange=exchange)
        return self._open[hosted]

    def _sample(self, provider: Provider, upload: Upload, view: View, number: int) -> Picture:
        digest = request_digest(provider.hosted, upload, number)
        kept = home() / FOLDER / "replies" / digest
        fresh = not kept.is_file()
        if fresh:
            # Firefly gets the picture before it is asked to paint it.
            self._room()
            self.sent += 1
        source = host_of(provider.hosted) if fresh else f"{kept} is broken, remove it"
        try:
            reply = provider.fill(upload, int(digest[:8], 16) >> 1) if fresh else kept.read_bytes()
            picture = paste_reply(reply, upload, view)
        except ValueError as error:
            raise HostedError(f"{source}: {provider.exchange.clean(str(error))}") from None
        if fresh:
            _make_private(kept.parent)
            write_atomically(kept, reply)
        return picture

    def _spend(self) -> None:
        """Count a request before it is sent: one byte each, so that a killed run has counted, too.

        Raises:
            HostedError: It would exceed a limit.
        """
        counter = self._room()
        _make_private(counter.parent)
        with counter.open("ab") as stream:
            stream.write(b".")

    def _room(self) -> Path:
        """Return the file of the requests so far, one byte each.

        Raises:
            HostedError: No further one is within the limits.
        """
        counter = home() / FOLDER / "requests" / self.account
        sent = counter.stat().st_size if counter.is_file() else 0
        limit, name = self.most_requests, "most_requests"
        # A price such as 0.1 is no exact number: ten of them fit into 1.
        if self.most_cost is not None and self.price and self.most_cost / self.price + 1e-9 < limit:
            limit, name = int(self.most_cost / self.price + 1e-9), "most_cost"
        if sent >= limit:
            raise HostedError(
                f"{sent} requests were sent for this suite, and {name} in its table uploads allows {limit}: raise it, "
                f"or remove {counter} to count anew"
            )
        return counter


def _refuse_stranger(hosted: Hosted) -> None:
    """Raise HostedError if keys would go to a host that neither the provider nor the user has named.

    A suite may come from elsewhere, and must not have keys sent to whom it likes.
    """
    host = urlsplit(hosted.url).hostname
    own = urlsplit(PROVIDERS[hosted.provider].address).hostname
    if (
        host
        and host != own
        and not is_loopback(host)
        and host not in os.environ.get(KEY_HOSTS, "").split(",")
    ):
        raise HostedError(
            f"the suite names {host}, which would get your key: set {KEY_HOSTS}={host} in the environment of the run "
            "to permit it, or unset the key"
        )


def request_digest(hosted: Hosted, upload: Upload, number: int) -> str:
    """Return a hash of everything that a sample depends on; no key is part of it."""
    settings = {**asdict(hosted), "samples": number, "default": PROVIDERS[hosted.provider].model}
    text = json.dumps([settings, upload.hidden.shape], sort_keys=True)
    parts = [text.encode(), upload.picture.tobytes(), upload.hidden.tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _make_private(folder: Path) -> None:
    """Make a folder that its owner alone can enter."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.chmod(0o700)

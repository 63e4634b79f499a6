"""The form of a service that fills in pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pedbench.adversary.hosted.exchange import Exchange
from pedbench.adversary.hosted.uploads import Upload
from pedbench.base import Hosted
from pedbench.pictures.frame import Size


@dataclass(kw_only=True)
class Provider(ABC):
    """A service that paints the hidden part of a picture.

    Attributes:
        hosted: What the attack asks for.
        exchange: Carries the requests.
        address: Where the service is if the attack's `url` does not say it; "" for a server of one's own.
        keys: Environment variables that must hold keys.
        optional_keys: Those that may.
        model: The model if the attack does not say it.
    """

    hosted: Hosted
    exchange: Exchange
    address: ClassVar[str] = ""
    keys: ClassVar[tuple[str, ...]] = ()
    optional_keys: ClassVar[tuple[str, ...]] = ()
    model: ClassVar[str] = ""

    @property
    def base(self) -> str:
        """Address below which the service's own lie, without a slash at its end."""
        return (self.hosted.url or self.address).rstrip("/")

    def size(self, frame: Size) -> Size:
        """Return the size of the picture that the service gets of a frame: `side` along the longer side."""
        longest = max(frame)
        height, width = (max(8, round(self.hosted.side * side / longest / 8) * 8) for side in frame)
        return height, width

    @abstractmethod
    def fill(self, upload: Upload, seed: int) -> bytes:
        """Have a picture filled in, and return the painted one as a file.

        Args:
            seed: In [0, 2^31).

        Raises:
            HostedError: The service refuses or cannot be understood.
        """

    def key(self, name: str) -> str:
        """Return a key, "" if there is none."""
        keys: Mapping[str, str] = self.exchange.keys
        return keys.get(name, "")

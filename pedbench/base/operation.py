"""Operations of servers, the arrays they declare, and the networks they run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pedbench.types import Patch, Payload, Tokens


@dataclass(frozen=True, kw_only=True)
class Field:
    """One array of a payload: allowed dtypes and shape.

    Attributes:
        shape: An int is exact; a str binds a size that must be the same wherever the name stands.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int | str, ...]


class Operation(ABC):
    """A named thing a server can do, and how its payload looks to whoever runs that server.

    Attributes:
        request: Declared arrays of the request.
        reply: Declared arrays of the reply.
        arguments: Declared string arguments, each with all its allowed values.
    """

    name: ClassVar[str]
    request: ClassVar[Mapping[str, Field]]
    reply: ClassVar[Mapping[str, Field]]
    arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @abstractmethod
    def run(self, payload: Payload, arguments: Mapping[str, str], networks: Networks) -> Payload:
        """Compute the reply on the server."""

    def observe(
        self, payload: Payload, arguments: Mapping[str, str], networks: Networks, server: int, request: int
    ) -> Sequence[Patch | Tokens] | None:
        """Show the payload as pixels and tokens; None if there is no known way: it then counts as the whole frame."""
        return None


class Networks(ABC):
    """The models of one family, loaded when first asked for."""

    @property
    def exact(self) -> bool:
        """Whether image encoders compute in float32, so that no result may depend on the number of threads."""
        return True

    @abstractmethod
    def network(self, weights: str) -> Any:
        """Return the `segment_anything.modeling.Sam` of a variant.

        Args:
            weights: original, fine-tuned, reordered, windowed, dropped, small, blurred, pixelated,
                dp-pixelated or prolonged.
        """

"""Modules whose parameters have no memory until weights are assigned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset({Tensor.normal_, Tensor.uniform_, init.normal_, init.uniform_, init.kaiming_uniform_})


class _WithoutDraws(TorchFunctionMode):
    """Leave tensors as they are where their initial values would be drawn."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def unallocated() -> Iterator[None]:
    """Build modules on the meta device and draw no initial values.

    A draw for a tensor without memory would import torch's compiler, which takes a second and a half of a processor.
    """
    with torch.device("meta"), _WithoutDraws():
        yield

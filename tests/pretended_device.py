"""A CUDA device that is not there: its tensors are the CPU's, and do not mix with them.

What computes on it shows where a tensor was left on the other device, which no CPU alone can. Gradients are not
computed: torch's engine for them asks for the real device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

MEMORY = {
    "memory_allocated": 0,
    "max_memory_allocated": 10,
    "memory_reserved": 0,
    "mem_get_info": (100, 100),
    "reset_peak_memory_stats": None,
    "synchronize": None,
}
"""Answers of the device about itself: four items fit into a batch."""

_MOVING = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
_INDEXING = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)


class _Far(torch.Tensor):
    """A tensor of the device.

    Attributes:
        near: What it is on the CPU.
    """

    near: torch.Tensor

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> _Far:
        far: _Far = torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            near.stride(),
            near.storage_offset(),
            dtype=near.dtype,
            device=torch.device("cuda:0"),
        )
        far.near = near
        return far

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _computed(func, args, kwargs or {})


class _Pretended(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    far = [tensor for tensor in tensors if isinstance(tensor, _Far)]
    # Numbers mix with everything, and indices may lie on the CPU.
    left = [each for each in tensors if not isinstance(each, _Far) and each.ndim]
    if func in _INDEXING:
        left = [each for each in left if each.is_floating_point()]
    if far and left and func not in _MOVING:
        raise RuntimeError(f"{func}: found tensors on the pretended device and on the CPU")
    wanted = kwargs.get("device")
    on_device = bool(far) if wanted is None else torch.device(wanted).type == "cuda"
    near = kwargs if wanted is None else kwargs | {"device": "cpu"}
    given, named = tree_map_only(_Far, lambda tensor: tensor.near, (args, near))
    found = func(*given, **named)
    if given and found is given[0]:
        return args[0]
    return tree_map_only(torch.Tensor, _Far, found) if on_device else found


@contextmanager
def pretended_cuda() -> Iterator[None]:
    """Everything inside may use the device `cuda`."""
    make = torch.tensor

    def tensor(data: Any, *, device: Any = None, **options: Any) -> torch.Tensor:
        made = make(data, **options)
        return made if device is None else made.to(device)

    with pytest.MonkeyPatch.context() as patch, _Pretended():  # type: ignore[no-untyped-call]
        torch._C._ensureCUDADeviceGuardSet()
        patch.setattr("torch.cuda._lazy_init", lambda: None)
        for name, value in MEMORY.items():
            patch.setattr(f"torch.cuda.{name}", lambda device, value=value: value)
        patch.setattr("torch.tensor", tensor)
        # Tensors of inference cannot be wrapped.
        patch.setattr("torch.inference_mode", lambda on=True: torch.set_grad_enabled(not on))
        patch.setattr("torch.Tensor.backward", lambda tensor: None)
        before = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            yield
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(before)

"""Networks without weights: a twin on the meta device that costs no memory; and what they take."""

from copy import deepcopy

import torch
from torch.nn import Module, Parameter

CANNOT_RUN = (
    AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What networks raise where they cannot be run; NotImplementedError is a RuntimeError."""


def meta_copy(module: Module) -> Module:
    """Deep copy on the meta device; no weight is copied, ties and training flags are kept.

    Tensors that a module holds as plain attributes go to the meta device as well.
    """
    held = [t for m in module.modules() for t in vars(m).values() if isinstance(t, torch.Tensor)]
    memo = {id(t): _twin(t) for t in (*module.parameters(), *module.buffers(), *held)}
    return deepcopy(module, memo)


def blank_images(
    module: Module, input_size: tuple[int, int, int], *, count: int = 1
) -> torch.Tensor:
    """Images on the meta device, of the type that the network's first weights have."""
    types = (p.dtype for p in module.parameters() if p.is_floating_point())
    return torch.empty(count, *input_size, dtype=next(types, torch.float32), device="meta")


def _twin(tensor: torch.Tensor) -> torch.Tensor:
    twin = torch.empty_like(tensor, device="meta", requires_grad=False)
    if isinstance(tensor, Parameter):
        return Parameter(twin, requires_grad=tensor.requires_grad)
    return twin

"""Networks without weights: a twin on the meta device that costs no memory."""

from copy import deepcopy

import torch
from torch.nn import Module, Parameter


def meta_copy(module: Module) -> Module:
    """Deep copy on the meta device; no weight is copied, ties and training flags are kept.

    Tensors that a module holds as plain attributes go to the meta device as well.
    """
    held = [t for m in module.modules() for t in vars(m).values() if isinstance(t, torch.Tensor)]
    memo = {id(t): _twin(t) for t in (*module.parameters(), *module.buffers(), *held)}
    return deepcopy(module, memo)


def _twin(tensor: torch.Tensor) -> torch.Tensor:
    twin = torch.empty_like(tensor, device="meta", requires_grad=False)
    if isinstance(tensor, Parameter):
        return Parameter(twin, requires_grad=tensor.requires_grad)
    return twin

"""Replacing parameters and buffers by their paths."""

from copy import deepcopy

import torch
from torch import Tensor, nn

FLOAT32 = 4
"""Bytes of a number."""


def owner(module: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Module that holds a parameter or buffer, and its name there."""
    parent, _, name = path.rpartition(".")
    return module.get_submodule(parent), name


def tensor_at(module: nn.Module, path: str) -> Tensor:
    """Parameter or buffer at a path."""
    holder, name = owner(module, path)
    tensor: Tensor = getattr(holder, name)
    return tensor


def replace_tensor(module: nn.Module, path: str, value: Tensor) -> None:
    """Put a tensor in the place of a parameter (which keeps `requires_grad`) or of a buffer."""
    holder, name = owner(module, path)
    if name in holder._parameters:
        before = holder._parameters[name]
        needs = before is None or before.requires_grad
        holder._parameters[name] = nn.Parameter(value.detach().contiguous(), requires_grad=needs)
        return
    holder._buffers[name] = value.detach().contiguous()


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers (those that are not saved in state dicts too), by path, ties once."""
    return dict(module.named_parameters()) | dict(module.named_buffers())


def precise(module: nn.Module) -> nn.Module:
    """The network, or where it holds less than float32, a copy in float32."""
    if all(p.element_size() >= FLOAT32 for p in module.parameters() if p.is_floating_point()):
        return module
    return deepcopy(module).float()


def split_first(tensor: Tensor, parts: int) -> Tensor:
    """First axis as two: parts, and what is in each."""
    return tensor.reshape(parts, tensor.shape[0] // parts, *tensor.shape[1:])


def take(tensor: Tensor, axis: int, positions: Tensor) -> Tensor:
    """Entries of one axis; a view's worth of work where all stay."""
    if len(positions) == tensor.shape[axis]:
        return tensor
    return torch.index_select(tensor, axis, positions.to(tensor.device))

"""Denormal numbers: so near to zero that many CPUs compute with them far more slowly."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module
from torch.utils._python_dispatch import TorchDispatchMode

from ap_bench.measuring.tensors import tensors_of


@dataclass(frozen=True, kw_only=True)
class Denormals:
    """How many numbers are denormal. activations: of all results of one pass."""

    weights: int
    activations: int


def denormals_of(module: Module, images: Tensor) -> Denormals:
    """Denormal numbers among the parameters, and in one pass."""
    with torch.no_grad(), _Results() as results:
        module(images)
    return Denormals(weights=sum(map(_count, module.parameters())), activations=results.denormal)


def _count(values: Tensor) -> int:
    if not values.is_floating_point():
        return 0
    sizes = values.detach().abs()
    return int(((sizes > 0) & (sizes < torch.finfo(values.dtype).tiny)).sum())


class _Results(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the denormal numbers in what operators return, but for views of their input."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.denormal = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN204
        given = {each.untyped_storage()._cdata for each in tensors_of((args, kwargs))}
        found = func(*args, **(kwargs or {}))
        for each in tensors_of(found):
            if each.untyped_storage()._cdata not in given:
                self.denormal += _count(each)
        return found

"""Where a network lies in memory: two copies of one differ in speed for it, by some per mille.

What a copy happens to get it keeps for as long as it lives, so measuring longer does not help. Laid
elsewhere for every round, what it gets is noise like any other, and intervals tell of it.
"""

import copy
from collections.abc import Iterable
from random import Random

import torch
from torch import Tensor
from torch.nn import Module, Parameter

BEFORE_A_TENSOR = 2**16
"""Bytes of padding, at most: sixteen pages."""


class Placement:
    """Where tensors lie, on the device where they are.

    draws: decides how far from each other; None for other distances in every process.
    """

    def __init__(self, draws: Random | None = None) -> None:
        self._draws = draws or Random()
        self._padding: list[Tensor] = []

    def change(self, tensors: Iterable[Tensor]) -> None:
        """Copy every tensor into other memory, with other distances in between.

        Tensors that share memory go on sharing it.
        """
        kept = []
        for sharing in _by_memory(tensors):
            kept.append(padding(self._draws, BEFORE_A_TENSOR, sharing[0].device))
            _copy_memory(sharing)
        self._padding = kept


class Rebuilt:
    """A module that Python runs; called as it is now.

    Its objects lie in memory, too, those that tensors are to Python among them, and Python is as
    fast as it gets at them.
    """

    def __init__(self, module: Module) -> None:
        self.module = module

    def __call__(self, images: Tensor) -> object:
        """What the module computes."""
        return self.module(images)

    def tensors(self) -> tuple[Tensor, ...]:
        """Its parameters and buffers, as they are now."""
        return (*self.module.parameters(), *self.module.buffers())

    def rebuild(self) -> None:
        """Put new objects, those of tensors among them, around the same weights."""
        self.module = copy.deepcopy(self.module, {id(each): _anew(each) for each in self.tensors()})


def padding(draws: Random, most: int, device: torch.device) -> Tensor:
    """Bytes that lie between what was allocated before and what will be. most: of them."""
    return torch.empty(draws.randint(1, most), dtype=torch.uint8, device=device)


def _anew(tensor: Tensor) -> Tensor:
    """Another tensor in the same memory."""
    with torch.inference_mode(mode=tensor.is_inference()):
        other = tensor.detach()
        if isinstance(tensor, Parameter):
            return Parameter(other, requires_grad=tensor.requires_grad)
        return other


def _by_memory(tensors: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    found: dict[int, list[Tensor]] = {}
    for each in tensors:
        found.setdefault(each.untyped_storage().data_ptr(), []).append(each)
    return found.values()


def _copy_memory(sharing: list[Tensor]) -> None:
    memory = sharing[0].untyped_storage().clone()  # type: ignore[no-untyped-call]
    for each in sharing:
        # A network is compiled for tensors of inference mode, or for others.
        with torch.inference_mode(mode=each.is_inference()):
            place = torch.empty(0, dtype=each.dtype, device=each.device)
            each.data = place.set_(memory, each.storage_offset(), each.shape, each.stride())

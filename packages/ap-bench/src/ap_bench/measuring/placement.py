"""Where a network lies in memory: two copies of one differ in speed for it, by some per mille.

What a copy happens to get it keeps for as long as it lives, so measuring longer does not help. Laid
elsewhere for every round, what it gets is noise like any other, and intervals tell of it.
"""

from collections.abc import Iterable
from random import Random

import torch
from torch import Tensor

BEFORE_A_TENSOR = 2**16
"""Bytes of padding, at most: sixteen pages."""


class Placement:
    """Tensors that can be laid elsewhere, on the device where they are.

    draws: decides how far from each other. Tensors that share memory go on sharing it.
    """

    def __init__(self, tensors: Iterable[Tensor], draws: Random) -> None:
        self._tensors = tuple(tensors)
        self._draws = draws
        self._padding: list[Tensor] = []

    def change(self) -> None:
        """Copy every tensor into other memory, with other distances in between."""
        before, self._padding = self._padding, []
        for sharing in self._by_memory():
            self._padding.append(padding(self._draws, BEFORE_A_TENSOR, sharing[0].device))
            _copy_memory(sharing)
        before.clear()

    def _by_memory(self) -> Iterable[list[Tensor]]:
        found: dict[int, list[Tensor]] = {}
        for each in self._tensors:
            found.setdefault(each.untyped_storage().data_ptr(), []).append(each)
        return found.values()


def padding(draws: Random, most: int, device: torch.device) -> Tensor:
    """Bytes that lie between what was allocated before and what will be. most: of them."""
    return torch.empty(draws.randint(1, most), dtype=torch.uint8, device=device)


def _copy_memory(sharing: list[Tensor]) -> None:
    memory = sharing[0].untyped_storage().clone()  # type: ignore[no-untyped-call]
    for each in sharing:
        # A network is compiled for tensors of inference mode, or for others.
        with torch.inference_mode(mode=each.is_inference()):
            place = torch.empty(0, dtype=each.dtype, device=each.device)
            each.data = place.set_(memory, each.storage_offset(), each.shape, each.stride())

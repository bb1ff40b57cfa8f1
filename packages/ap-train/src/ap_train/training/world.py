"""The processes of one training, and what they tell each other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor, distributed
from torch.nn import Module

from ap_core.errors import ApError

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class World:
    """Which process this is: the `rank`th of `size`.

    group: in which the processes tell each other values, over the CPU, so that no GPU waits for it;
    None for torch's own.
    """

    rank: int = 0
    size: int = 1
    group: distributed.ProcessGroup | None = None

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def gather(self, mine: T) -> list[T]:
        """What every process has, by rank. Waits for all of them."""
        if self.size == 1:
            return [mine]
        found = [mine] * self.size
        distributed.all_gather_object(found, mine, group=self.group)
        return found

    def on_main(self, act: Callable[[], T]) -> T:
        """Do something on the main process while the others wait; all return what came of it.

        Raises: on all, the ApError that the main one met.
        """
        came: T | ApError | None = None
        if self.main:
            try:
                came = act()
            except ApError as error:
                came = error
        answer = self.gather(came)[0]
        if isinstance(answer, ApError):
            raise answer
        return cast("T", answer)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Make tensors the mean of those of all processes, in place."""
        if self.size == 1 or not tensors:
            return
        joined = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(joined)
        joined /= self.size
        means = torch.split(joined, [tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))

    def spread(self, module: Module) -> None:
        """Give all processes the weights that the main one has."""
        if self.size == 1:
            return
        for tensor in module.state_dict().values():
            sent = tensor.contiguous()
            distributed.broadcast(sent, src=0)
            tensor.copy_(sent)


def world_of(accelerator: "Accelerator") -> World:
    """Which process this is."""
    return World(rank=accelerator.process_index, size=accelerator.num_processes)


@contextmanager
def connected(accelerator: "Accelerator") -> Iterator[World]:
    """The same, with a group of its own inside the block."""
    world = world_of(accelerator)
    if world.size == 1:
        yield world
        return
    group = distributed.new_group(backend="gloo")
    assert isinstance(group, distributed.ProcessGroup)
    try:
        yield World(rank=world.rank, size=world.size, group=group)
    finally:
        distributed.destroy_process_group(group)

"""What times a network on the stack that it is to run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ap_core.contracts.exporting import Precision
from ap_core.errors import UsageError

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What a network runs on, and how.

    backend: name of a timer. device: as the backend calls it ("cpu", "cuda", "cuda:1").
    threads: of a CPU; None for as many as the backend takes of itself.
    memory_format: how the channels of an image lie in memory: "contiguous" or "channels-last".
    Raises: UsageError where a number is below 1.
    """

    backend: str = "eager"
    device: str = "cpu"
    precision: Precision = Precision.FP32
    batch_size: int = 1
    threads: int | None = None
    memory_format: str = "contiguous"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, number in (("batch size", self.batch_size), ("number of threads", self.threads)):
            if number is not None and number < 1:
                raise UsageError(f"the {name} to time with is {number}; 1 is the least")

    def __str__(self) -> str:
        """The stack in words."""
        words = [self.backend, self.device, self.precision.value, f"batch {self.batch_size}"]
        if self.threads is not None:
            words.append(f"threads {self.threads}")
        if self.memory_format != "contiguous":
            words.append(self.memory_format)
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Seconds of one forward pass of the whole network and of another, in the same round."""

    whole: float
    other: float


class Timer(Protocol):
    """Times networks beside the whole one, on one stack."""

    def about(self) -> Mapping[str, str]:
        """What latencies depend on besides the network and the stack, by name: device, processor,
        versions. Latencies that were measured where this differs are not used.
        """

    def beside(self, module: Module, *, rounds: int) -> Sequence[Pair]:
        """One pair for each round, the two networks in alternation: a drift of the machine's speed
        slows down both.

        module: on the CPU, in eval mode, in fp32; it is left as it was.
        Raises: ModelError where it cannot be run on the stack.
        """
